/* What every server program here does alike: command line, help, log lines, exit status.
 *
 * Exit status: 0 after a drain, also when connections were cut; 1 when the server could not start; 2 for a
 * usage error; 128 + signal when a second signal ended the drain. */
#ifndef RP_SHELL_PROGRAM_H
#define RP_SHELL_PROGRAM_H

#include "pure/options.h"
#include "pure/server_options.h"

#include <rp/server.h>

struct rp_program {
    const char *name;                    /* "server-v1" */
    const char *summary;                 /* one line of the help */
    const char *version;                 /* what --version prints behind the name */
    const struct rp_option_group *extra; /* options of this program alone, or NULL */
    /* Adds routes and headers. `user` is program->user. */
    int (*set_up)(struct rp_server *server, void *user, struct rp_error *error);
    /* Called between the command line and the server's creation; may be NULL. */
    void (*before_start)(void *user);
    void *user;
};

/* The whole main(). */
int rp_program_main(const struct rp_program *program, int argc, char *argv[]);

#endif
