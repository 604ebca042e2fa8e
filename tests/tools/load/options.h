/* The command line of rp-load. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOAD_TARGETS_MAX     16
#define LOAD_CLIENTS_MAX     4096
#define LOAD_REQUEST_BYTES   1024
#define LOAD_SOURCES_DEFAULT 32
#define LOAD_TIMEOUT_MS      5000
#define LOAD_THINK_MAX_MS    20

struct load_target {
    struct sockaddr_storage address;
    socklen_t length;
    bool loopback_v4; /* 127.0.0.0/8: the source address may vary */
    char request[LOAD_CLIENT_KINDS][LOAD_REQUEST_BYTES];
};

struct load_options {
    struct load_target targets[LOAD_TARGETS_MAX];
    unsigned target_count;
    unsigned clients[LOAD_CLIENT_KINDS];
    unsigned sources;
    const char *path;
    uint64_t timeout_ms;
    uint64_t duration_ms; /* 0: until stopped */
    uint64_t think_min_ms;
    uint64_t think_max_ms;
    bool json;
    bool help;
};

/* Fills *ret_options; -EINVAL after one line on standard error. `options->path` points into argv. */
int load_options_parse(struct load_options *ret_options, int argc, char **argv);

void load_options_help(void);

#endif
