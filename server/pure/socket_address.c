#include "pure/socket_address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static int fill(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *variable,
                const char *text, struct rp_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(text);
    if (length >= sizeof address.sun_path)
        return rp_error_set(error, -ENAMETOOLONG, "bad %s=\"%.60s…\": more than %zu bytes", variable, text,
                            sizeof address.sun_path - 1);
    memcpy(address.sun_path, text, length);
    /* A path counts with its end, an abstract name is exactly its bytes. */
    *ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (text[0] == '@') {
        address.sun_path[0] = '\0';
        *ret_length -= 1;
    }
    *ret_address = address;
    return 0;
}

int rp_socket_address_parse_notify(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *text,
                                   struct rp_error *error)
{
    if ((text[0] != '/' && text[0] != '@') || text[1] == '\0')
        return rp_error_set(error, -EINVAL,
                            "bad NOTIFY_SOCKET=\"%.100s\": it must be an absolute path or @name", text);
    return fill(ret_address, ret_length, "NOTIFY_SOCKET", text, error);
}

int rp_socket_address_parse_link(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *text,
                                 struct rp_error *error)
{
    if (text[0] != '/' || text[1] == '\0')
        return rp_error_set(error, -EINVAL, "bad RP_SOCKET=\"%.100s\": it must be an absolute path", text);
    return fill(ret_address, ret_length, "RP_SOCKET", text, error);
}
