#include "pure/address_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static int refuse(struct rp_error *error, const char *text, const char *reason)
{
    rp_error_set(error, -EINVAL, "bad address \"%.60s\": %s", text, reason);
    return -EINVAL;
}

/* Decimal digits alone, no sign and no blank, at most `max`. */
static bool read_number(const char *text, size_t length, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;
    if (length == 0 || length > 10) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (number > max) return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool copy_piece(char *piece, size_t piece_bytes, const char *from, size_t length)
{
    if (length >= piece_bytes) return false;
    memcpy(piece, from, length);
    piece[length] = '\0';
    return true;
}

static int parse_v4(struct rp_address *address, const char *text, struct rp_error *error)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address->storage;
    char host[INET_ADDRSTRLEN];
    uint32_t port;
    const char *colon = strchr(text, ':');
    if (colon == NULL) return refuse(error, text, "the port is missing; write 127.0.0.1:8000");
    if (strchr(colon + 1, ':') != NULL)
        return refuse(error, text, "an IPv6 address needs brackets and a port; write [::1]:8000");
    size_t host_length = (size_t)(colon - text);
    if (host_length == 0 || (host_length == 1 && text[0] == '*'))
        return refuse(error, text, "for every address of this machine write 0.0.0.0:8000 or [::]:8000");
    if (!copy_piece(host, sizeof host, text, host_length) || inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        return refuse(error, text, "names are not looked up; write a numeric address like 127.0.0.1:8000");
    if (!read_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
        return refuse(error, text, "the port must be a number from 0 to 65535");
    uint32_t host_order = ntohl(v4->sin_addr.s_addr);
    if (IN_MULTICAST(host_order) || host_order == INADDR_BROADCAST)
        return refuse(error, text, "TCP cannot listen on a multicast or broadcast address");
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    address->length = sizeof *v4;
    return 0;
}

/* What stands behind the bracket: ":8000" or ":8000/v6only". */
static int parse_v6_tail(struct rp_address *address, const char *tail, const char *text,
                         struct rp_error *error)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address->storage;
    uint32_t port;
    if (tail[0] != ':') return refuse(error, text, "the port is missing; write [::1]:8000");
    tail++;
    if (!read_number(tail, strcspn(tail, "/"), UINT16_MAX, &port))
        return refuse(error, text, "the port must be a number from 0 to 65535");
    v6->sin6_port = htons((uint16_t)port);
    const char *suffix = strchr(tail, '/');
    if (suffix == NULL) return 0;
    if (strcmp(suffix, "/v6only") != 0) return refuse(error, text, "behind the port only /v6only may follow");
    if (!IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        return refuse(error, text, "/v6only has a meaning for [::] alone; leave it out");
    address->v6only = true;
    return 0;
}

/* What stands behind '%': a number goes into the address, a name into `interface`. */
static int parse_scope(struct sockaddr_in6 *v6, char interface[IF_NAMESIZE], const char *scope, size_t length,
                       const char *text, struct rp_error *error)
{
    bool digits = strspn(scope, "0123456789") >= length;
    if (length == 0)
        return refuse(error, text, "the interface behind % is missing; write [fe80::1%eth0]:8000");
    if (!digits && copy_piece(interface, IF_NAMESIZE, scope, length)) return 0;
    if (digits && read_number(scope, length, UINT32_MAX, &v6->sin6_scope_id) && v6->sin6_scope_id != 0)
        return 0;
    return refuse(error, text, "no interface has such a name or number; `ip link` lists them");
}

static int parse_v6_host(struct sockaddr_in6 *v6, char interface[IF_NAMESIZE], const char *host,
                         size_t length, const char *text, struct rp_error *error)
{
    char number[INET6_ADDRSTRLEN];
    const char *scope = memchr(host, '%', length);
    size_t number_length = scope == NULL ? length : (size_t)(scope - host);
    if (!copy_piece(number, sizeof number, host, number_length) ||
        inet_pton(AF_INET6, number, &v6->sin6_addr) != 1)
        return refuse(error, text, "between the brackets stands no IPv6 address; write [::1]:8000");
    if (IN6_IS_ADDR_MULTICAST(&v6->sin6_addr))
        return refuse(error, text, "TCP cannot listen on a multicast or broadcast address");
    /* bind() ignores the interface of any other address, and without one it refuses a link-local address. */
    bool link_local = IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
    if (link_local && scope == NULL)
        return refuse(error, text, "a link-local address needs its interface; write [fe80::1%eth0]:8000");
    if (!link_local && scope != NULL)
        return refuse(error, text,
                      "only a link-local address takes an interface; leave out % and what follows");
    if (scope == NULL) return 0;
    return parse_scope(v6, interface, scope + 1, length - number_length - 1, text, error);
}

static int parse_v6(struct rp_address *address, char interface[IF_NAMESIZE], const char *text,
                    struct rp_error *error)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address->storage;
    const char *bracket = strchr(text, ']');
    if (bracket == NULL) return refuse(error, text, "the closing bracket is missing; write [::1]:8000");
    int result = parse_v6_host(v6, interface, text + 1, (size_t)(bracket - text - 1), text, error);
    if (result < 0) return result;
    v6->sin6_family = AF_INET6;
    address->length = sizeof *v6;
    return parse_v6_tail(address, bracket + 1, text, error);
}

int rp_address_text_parse(struct rp_address *ret_address, char ret_interface[IF_NAMESIZE], const char *text,
                          struct rp_error *error)
{
    struct rp_address address = {0};
    char interface[IF_NAMESIZE] = "";
    int result =
        text[0] == '[' ? parse_v6(&address, interface, text, error) : parse_v4(&address, text, error);
    if (result < 0) return result;
    *ret_address = address;
    memcpy(ret_interface, interface, IF_NAMESIZE);
    return 0;
}

int rp_address_text_parse_numeric(struct rp_address *ret_address, const char *text, struct rp_error *error)
{
    struct rp_address address;
    char interface[IF_NAMESIZE];
    int result = rp_address_text_parse(&address, interface, text, error);
    if (result < 0) return result;
    if (interface[0] != '\0') return refuse(error, text, "the interface must be given by its number here");
    *ret_address = address;
    return 0;
}

int rp_address_text_parse_list(struct rp_address *addresses, size_t max, size_t *ret_count, const char *text,
                               rp_address_parse_fn *parse, struct rp_error *error)
{
    size_t count = 0;
    const char *at = text;
    while (at != NULL && text[0] != '\0') {
        char piece[RP_ADDRESS_TEXT_BYTES];
        size_t length = strcspn(at, " ");
        if (count == max) return rp_error_set(error, -E2BIG, "more than %zu addresses in one list", max);
        if (length == 0)
            return rp_error_set(error, -EINVAL, "bad list of addresses \"%.60s\": separate by one blank",
                                text);
        if (!copy_piece(piece, sizeof piece, at, length)) return refuse(error, at, "it is too long");
        int result = parse(&addresses[count], piece, error);
        if (result < 0) return result;
        count++;
        at = at[length] == ' ' ? at + length + 1 : NULL;
    }
    *ret_count = count;
    return 0;
}
