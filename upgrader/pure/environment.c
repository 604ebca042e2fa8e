#include "pure/environment.h"
#include "pure/quote.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int rpctl_environment_check(const char *entry, struct rp_error *error)
{
    size_t name = strspn(entry, LETTERS "0123456789");
    if (name == 0 || entry[name] != '=' || strspn(entry, LETTERS) == 0)
        return rp_error_set(error, -EINVAL, "env %s is not of the form NAME=VALUE", rpctl_quote(entry).text);
    if (starts_with(entry, "RP_") || starts_with(entry, "LISTEN_") || starts_with(entry, "NOTIFY_SOCKET="))
        return rp_error_set(error, -EINVAL, "env %s: rpctl sets this variable itself; leave it out",
                            rpctl_quote(entry).text);
    return 0;
}
