#include <rp/address.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int rp_address_of_socket(struct rp_address *ret_address, int fd, struct rp_error *error)
{
    struct rp_address address = {.length = sizeof address.storage};
    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.length) < 0)
        return rp_error_set(error, -errno, "cannot read the address of descriptor %d: %s", fd,
                            strerror(errno));
    int family = address.storage.ss_family;
    if (family != AF_INET && family != AF_INET6)
        return rp_error_set(error, -EAFNOSUPPORT, "descriptor %d is not a TCP socket (address family %d)", fd,
                            family);
    /* bind() sets IPV6_V6ONLY by itself on every address but the wildcard, so only there it says something.
     */
    if (family == AF_INET6 && rp_address_is_wildcard(&address)) {
        int v6only = 0;
        socklen_t length = sizeof v6only;
        if (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &length) < 0)
            return rp_error_set(error, -errno, "cannot read IPV6_V6ONLY of descriptor %d: %s", fd,
                                strerror(errno));
        address.v6only = v6only != 0;
    }
    *ret_address = address;
    return 0;
}
