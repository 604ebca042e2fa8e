#include "pure/server_options.h"

#include "pure/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LISTEN  "127.0.0.1:8000"
#define CONNECTIONS_MAX 1000000000u

static int apply_listen(void *target, const char *value, struct rp_error *error)
{
    struct rp_server_options *options = target;
    if (options->address_count == RP_ADDRESS_LIST_MAX)
        return rp_error_set(error, -EINVAL, "at most %d addresses", RP_ADDRESS_LIST_MAX);
    struct rp_address address;
    int result = rp_address_parse(&address, value, error);
    if (result < 0) return result;
    for (size_t i = 0; i < options->address_count; i++) {
        if (rp_address_port(&address) != 0 && rp_address_equal(&address, &options->addresses[i]))
            return rp_error_set(error, -EINVAL, "%s is given twice", value);
    }
    options->addresses[options->address_count++] = address;
    return 0;
}

static int apply_workers(void *target, const char *value, struct rp_error *error)
{
    struct rp_server_options *options = target;
    char *end;
    if (strcmp(value, "auto") == 0) {
        options->workers = RP_WORKERS_AUTO;
        return 0;
    }
    unsigned long workers = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || workers < 1 || workers > RP_WORKERS_MAX)
        return rp_error_set(error, -EINVAL, "\"%s\" is not a number from 1 to %u, nor auto", value,
                            RP_WORKERS_MAX);
    options->workers = (unsigned)workers;
    return 0;
}

static int apply_drain_timeout(void *target, const char *value, struct rp_error *error)
{
    struct rp_server_options *options = target;
    return rp_duration_parse(&options->drain_timeout_ms, value, RP_MS_MAX, error);
}

static int apply_idle_grace(void *target, const char *value, struct rp_error *error)
{
    struct rp_server_options *options = target;
    return rp_duration_parse(&options->idle_grace_ms, value, RP_MS_MAX, error);
}

static int apply_timeout(uint32_t *ret_ms, const char *value, struct rp_error *error)
{
    uint32_t ms;
    int result = rp_duration_parse(&ms, value, RP_MS_MAX, error);
    if (result < 0) return result;
    if (ms == 0) return rp_error_set(error, -EINVAL, "0 would close every connection at once");
    *ret_ms = ms;
    return 0;
}

static int apply_idle_timeout(void *target, const char *value, struct rp_error *error)
{
    return apply_timeout(&((struct rp_server_options *)target)->idle_timeout_ms, value, error);
}

static int apply_head_timeout(void *target, const char *value, struct rp_error *error)
{
    return apply_timeout(&((struct rp_server_options *)target)->head_timeout_ms, value, error);
}

static int apply_body_timeout(void *target, const char *value, struct rp_error *error)
{
    return apply_timeout(&((struct rp_server_options *)target)->body_timeout_ms, value, error);
}

static int apply_write_timeout(void *target, const char *value, struct rp_error *error)
{
    return apply_timeout(&((struct rp_server_options *)target)->write_timeout_ms, value, error);
}

static int apply_count(uint32_t *ret_count, const char *value, struct rp_error *error)
{
    char *end;
    errno = 0;
    unsigned long count = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || count < 1 || count > CONNECTIONS_MAX)
        return rp_error_set(error, -EINVAL, "\"%s\" is not a number from 1 to %u", value, CONNECTIONS_MAX);
    *ret_count = (uint32_t)count;
    return 0;
}

static int apply_connections(void *target, const char *value, struct rp_error *error)
{
    return apply_count(&((struct rp_server_options *)target)->connections, value, error);
}

static int apply_connections_per_address(void *target, const char *value, struct rp_error *error)
{
    return apply_count(&((struct rp_server_options *)target)->connections_per_address, value, error);
}

static int apply_help(void *target, const char *value, struct rp_error *error)
{
    (void)value;
    (void)error;
    ((struct rp_server_options *)target)->help = true;
    return 0;
}

static int apply_version(void *target, const char *value, struct rp_error *error)
{
    (void)value;
    (void)error;
    ((struct rp_server_options *)target)->version = true;
    return 0;
}

static const struct rp_option server_options[] = {
    {"--listen", "ADDR:PORT", "where to listen; may be repeated (" DEFAULT_LISTEN ")", apply_listen},
    {"--workers", "N|auto", "worker threads (auto: one per CPU)", apply_workers},
    {"--drain-timeout", "TIME", "from SIGTERM until the rest is cut (30s)", apply_drain_timeout},
    {"--idle-grace", "TIME", "how long idle connections stay after SIGTERM (2s)", apply_idle_grace},
    {"--idle-timeout", "TIME", "how long a connection may be idle (60s)", apply_idle_timeout},
    {"--head-timeout", "TIME", "from the first byte of a request to the end of its head (10s)",
     apply_head_timeout},
    {"--body-timeout", "TIME", "between two pieces of a request's body (30s)", apply_body_timeout},
    {"--write-timeout", "TIME", "how long a client may take nothing of an answer (30s)", apply_write_timeout},
    {"--connections", "N", "at most so many at a time (100000)", apply_connections},
    {"--connections-per-address", "N", "of one IPv4 address or IPv6 /64 (no limit)",
     apply_connections_per_address},
    {"--help", NULL, "show this", apply_help},
    {"--version", NULL, "show the version", apply_version},
};

void rp_server_options_init(struct rp_server_options *options)
{
    *options = (struct rp_server_options){
        .workers = RP_WORKERS_AUTO,
        .drain_timeout_ms = RP_MS_UNSET,
        .idle_grace_ms = RP_MS_UNSET,
        .idle_timeout_ms = RP_IDLE_TIMEOUT_MS_DEFAULT,
        .head_timeout_ms = RP_HEAD_TIMEOUT_MS_DEFAULT,
        .body_timeout_ms = RP_BODY_TIMEOUT_MS_DEFAULT,
        .write_timeout_ms = RP_WRITE_TIMEOUT_MS_DEFAULT,
        .connections = RP_CONNECTIONS_DEFAULT,
        .connections_per_address = RP_ADDRESS_CONNECTIONS_DEFAULT,
    };
}

struct rp_option_group rp_server_options_group(struct rp_server_options *options)
{
    return (struct rp_option_group){
        .options = server_options,
        .count = sizeof(server_options) / sizeof(server_options[0]),
        .target = options,
    };
}

void rp_server_options_apply(struct rp_server_options *options, struct rp_server_config *config)
{
    if (options->address_count == 0) {
        rp_address_parse(&options->addresses[0], DEFAULT_LISTEN, NULL);
        options->address_count = 1;
    }
    config->addresses = options->addresses;
    config->address_count = options->address_count;
    config->workers = options->workers;
    config->drain_timeout_ms = options->drain_timeout_ms;
    config->idle_grace_ms = options->idle_grace_ms;
    config->limits.idle_timeout_ms = options->idle_timeout_ms;
    config->limits.head_timeout_ms = options->head_timeout_ms;
    config->limits.body_timeout_ms = options->body_timeout_ms;
    config->limits.write_timeout_ms = options->write_timeout_ms;
    config->limits.connections = options->connections;
    config->limits.connections_per_address = options->connections_per_address;
}
