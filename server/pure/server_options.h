/* The options that every server program here has. */
#ifndef RP_PURE_SERVER_OPTIONS_H
#define RP_PURE_SERVER_OPTIONS_H

#include "pure/options.h"

#include <rp/server.h>
#include <stdbool.h>

struct rp_server_options {
    struct rp_address addresses[RP_ADDRESS_LIST_MAX];
    size_t address_count;
    unsigned workers;
    uint32_t drain_timeout_ms; /* RP_MS_UNSET when not given */
    uint32_t idle_grace_ms;    /* RP_MS_UNSET when not given */
    uint32_t idle_timeout_ms;
    uint32_t head_timeout_ms;
    uint32_t body_timeout_ms;
    uint32_t write_timeout_ms;
    uint32_t connections;
    uint32_t connections_per_address;
    bool help;
    bool version;
};

void rp_server_options_init(struct rp_server_options *options);

/* The group to give to rp_options_parse. */
struct rp_option_group rp_server_options_group(struct rp_server_options *options);

/* Fills in what the command line leaves open (127.0.0.1:8000) and what the server needs. `config` points into
 * `options` afterwards. */
void rp_server_options_apply(struct rp_server_options *options, struct rp_server_config *config);

#endif
