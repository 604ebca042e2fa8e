#include "pure/service_name.h"
#include "pure/quote.h"
#include <errno.h>
#include <string.h>

#define ALLOWED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

int rpctl_service_name_check(const char *name, struct rp_error *error)
{
    size_t length = strlen(name);
    if (length >= 1 && length <= RPCTL_SERVICE_NAME_MAX && strspn(name, ALLOWED) == length &&
        name[0] != '.' && name[0] != '-')
        return 0;
    return rp_error_set(error, -EINVAL,
                        "%s is no service name: take 1 to %d letters, digits, '.', '_' or '-', "
                        "beginning with none of '.' and '-'",
                        rpctl_quote(name).text, RPCTL_SERVICE_NAME_MAX);
}
