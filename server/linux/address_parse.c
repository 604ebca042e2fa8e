/* The public parser: pure/address_text.c, and the number of an interface that is given by name. */
#include "pure/address_text.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int rp_address_parse(struct rp_address *ret_address, const char *text, struct rp_error *error)
{
    struct rp_address address;
    char interface[IF_NAMESIZE];
    int result = rp_address_text_parse(&address, interface, text, error);
    if (result < 0) return result;
    if (interface[0] != '\0') {
        unsigned number = if_nametoindex(interface);
        if (number == 0)
            return rp_error_set(error, -EINVAL,
                                "bad address \"%.60s\": no interface is called %s; `ip link` lists them",
                                text, interface);
        ((struct sockaddr_in6 *)(void *)&address.storage)->sin6_scope_id = number;
    }
    *ret_address = address;
    return 0;
}

int rp_address_parse_list(struct rp_address *addresses, size_t max, size_t *ret_count, const char *text,
                          struct rp_error *error)
{
    return rp_address_text_parse_list(addresses, max, ret_count, text, rp_address_parse, error);
}
