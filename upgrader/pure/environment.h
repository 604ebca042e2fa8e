/* What --env K=V may say. Pure. */
#ifndef RPCTL_ENVIRONMENT_H
#define RPCTL_ENVIRONMENT_H

#include <rp/error.h>

#define RPCTL_ENVIRONMENT_MAX 256 /* entries given with --env */

/* "K=V" with K a variable's name that is not one of the process contract (RP_…, NOTIFY_SOCKET, LISTEN_…),
 * which are rpctl's to set. -EINVAL with a message that quotes the entry. */
int rpctl_environment_check(const char *entry, struct rp_error *error);

#endif
