/* What run, start, upgrade and restart have in common: the binary and the policy that the command line and
 * its file ask for. */
#ifndef RPCTL_RELEASE_REQUEST_H
#define RPCTL_RELEASE_REQUEST_H

#include "pure/command_line.h"

struct rpctl_release_request {
    char *binary;   /* absolute; NULL for restart */
    json_t *policy; /* settings of the file, with those of the command line over them; an object */
};

/* Reads the file, finds the binary. 0, or an exit code with the reason in *error: RPCTL_EXIT_USAGE for a bad
 * file, RPCTL_EXIT_REFUSED for a binary that is not found. The caller ends it with _done, only on success. */
int rpctl_release_request_init(struct rpctl_release_request *ret_request,
                               const struct rpctl_command_line *line, struct rp_error *error);
void rpctl_release_request_done(struct rpctl_release_request *request);

#endif
