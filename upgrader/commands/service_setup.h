/* From the command line of run and start to what the supervisor wants to know. */
#ifndef RPCTL_SERVICE_SETUP_H
#define RPCTL_SERVICE_SETUP_H

#include "commands/release_request.h"
#include "shell/supervisor.h"

struct rpctl_service_setup {
    struct rpctl_release_request release;
    char *no_args[1];
    char *env[RPCTL_ENVIRONMENT_MAX + 1];  /* borrowed from the command line */
    char *program;                         /* path of rpctl, or NULL */
    struct rpctl_supervisor_config config; /* points into this struct: it must not be moved; owns `dir` */
};

/* Reads the policy file, finds the binary, makes and opens the service's directory. 0, or an exit code with
 * the reason in *error. On success the caller ends it with _done; ready_fd is -1 and foreground is false. */
int rpctl_service_setup_init(struct rpctl_service_setup *setup, const struct rpctl_command_line *line,
                             struct rp_error *error);
void rpctl_service_setup_done(struct rpctl_service_setup *setup);

#endif
