/* Finds the program that BINARY names. */
#ifndef RPCTL_BINARY_PATH_H
#define RPCTL_BINARY_PATH_H

#include <rp/error.h>

/* Makes the path absolute in the working directory, with symlinks left as they are (so that
 * /srv/current/server stays that); a name without a slash is looked up in `search_path` (the value of PATH,
 * or NULL). Whether a path with a slash exists is not looked at: see binary_check.h. -ENOENT: the name is not
 * found. The caller frees. */
int rpctl_binary_path(char **ret_path, const char *binary, const char *search_path, struct rp_error *error);

#endif
