/* The processes of a service that its supervisor launched, found by what stands in their environment.
 *
 * For a supervisor whose predecessor has died: what that one launched last may stand in no state file yet.
 * Owns nothing. */
#ifndef RPCTL_MARKED_H
#define RPCTL_MARKED_H

#include "linux/process.h"

#include <rp/error.h>
#include <stddef.h>

#define RPCTL_MARKED_MAX 256

struct rpctl_marked {
    struct rpctl_process process; /* open: the caller's */
    unsigned generation;
    unsigned instance;
};

/* Every process of this user that leads a session (as each launched one does) and whose environment names the
 * service and its notify socket (the path tells services of one name in different directories apart). Dead
 * ones are left out. At most RPCTL_MARKED_MAX. */
int rpctl_marked_find(const char *service, const char *notify_path,
                      struct rpctl_marked marked[RPCTL_MARKED_MAX], size_t *ret_count,
                      struct rp_error *error);

/* The executable and the arguments (without argv[0]) it runs with, NULL-terminated; the caller frees both,
 * the latter with rpctl_marked_free_args. -ESRCH, -ENOMEM. */
int rpctl_marked_command(pid_t pid, char **ret_binary, char ***ret_args);
void rpctl_marked_free_args(char **args);

#endif
