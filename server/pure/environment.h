/* The environment variables of the process contract, from text to values.
 *
 * Owns the values it has read; the caller fetches the texts (getenv), so that this needs no process state. */
#ifndef RP_PURE_ENVIRONMENT_H
#define RP_PURE_ENVIRONMENT_H

#include <rp/lifecycle.h>

#define RP_SERVICE_NAME_BYTES 256 /* a service is a folder: NAME_MAX and the end */

/* Each NULL when the variable is not set. */
struct rp_environment_texts {
    const char *service;          /* RP_SERVICE */
    const char *generation;       /* RP_GENERATION */
    const char *instance;         /* RP_INSTANCE */
    const char *listen;           /* RP_LISTEN */
    const char *allow_drop;       /* RP_ALLOW_DROP */
    const char *drain_timeout_ms; /* RP_DRAIN_TIMEOUT_MS */
    const char *idle_grace_ms;    /* RP_IDLE_GRACE_MS */
};

/* `identity` points into the struct, so it must stay where it is. */
struct rp_environment {
    struct rp_identity identity;
    char service[RP_SERVICE_NAME_BYTES];
    struct rp_address expected[RP_ADDRESS_LIST_MAX];
};

/* Fills *environment. -EINVAL when a text is malformed, -E2BIG when RP_LISTEN has too many addresses: the
 * message names the variable and quotes the text. */
int rp_environment_parse(struct rp_environment *environment, const struct rp_environment_texts *texts,
                         struct rp_error *error);

/* How many descriptors from 3 on are meant for process `self`, by LISTEN_PID and LISTEN_FDS
 * (sd_listen_fds(3)). 0 when either is not set or another process is meant; -EINVAL when malformed; -E2BIG
 * for more than RP_LISTENERS_MAX. */
int rp_environment_listen_fds(unsigned *ret_count, const char *pid, const char *fds, unsigned self,
                              struct rp_error *error);

#endif
