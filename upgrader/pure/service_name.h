/* What a service may be called: it is a folder's name and appears in every output. Pure. */
#ifndef RPCTL_SERVICE_NAME_H
#define RPCTL_SERVICE_NAME_H

#include <rp/error.h>

#define RPCTL_SERVICE_NAME_DEFAULT "default"
#define RPCTL_SERVICE_NAME_MAX     64

/* [A-Za-z0-9._-]{1,64}, not beginning with '.' or '-'. -EINVAL with a message that quotes the name. */
int rpctl_service_name_check(const char *name, struct rp_error *error);

#endif
