#include "linux/sock_diag.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) is begun again this often. */
#define ATTEMPTS_MAX 16
/* The kernel writes dumps in pieces of up to 32 KiB. */
#define BUFFER_BYTES 65536

struct dump {
    const struct rp_address *address;
    struct rpctl_endpoint wanted;
    bool any_local; /* a wildcard, looked up by its connections */
    int state;
    struct rpctl_diag_list list;
    size_t capacity;
    bool count_only;
    int failure; /* negative errno met inside a callback */
};

static void endpoint_of_address(struct rpctl_endpoint *endpoint, const struct rp_address *address)
{
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->port = rp_address_port(address);
    if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;

        memcpy(endpoint->address, &in6->sin6_addr, 16);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;

        endpoint->address[10] = endpoint->address[11] = 0xff;
        memcpy(endpoint->address + 12, &in->sin_addr, 4);
    }
}

static void endpoint_of_diag(struct rpctl_endpoint *endpoint, int family, const __be32 words[4], __be16 port)
{
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->port = ntohs(port);
    if (family == AF_INET6) {
        memcpy(endpoint->address, words, 16);
    } else {
        endpoint->address[10] = endpoint->address[11] = 0xff;
        memcpy(endpoint->address + 12, words, 4);
    }
}

static int on_attribute(const struct nlattr *attribute, void *data)
{
    bool *v6only = data;

    if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY) *v6only = mnl_attr_get_u8(attribute) != 0;
    return MNL_CB_OK;
}

/* IPV6_V6ONLY of a listener; the kernel reports it since Linux 4.1. */
static bool reported_v6only(const struct nlmsghdr *header)
{
    bool v6only = false;

    mnl_attr_parse(header, sizeof(struct inet_diag_msg), on_attribute, &v6only);
    return v6only;
}

static bool matches(const struct dump *dump, const struct rpctl_endpoint *local,
                    const struct nlmsghdr *header)
{
    static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

    if (local->port != dump->wanted.port) return false;
    if (dump->any_local)
        return !dump->address->v6only || memcmp(local->address, mapped_prefix, sizeof(mapped_prefix)) != 0;
    if (memcmp(local->address, dump->wanted.address, 16) != 0) return false;
    if (dump->state != TCP_LISTEN || dump->address->storage.ss_family != AF_INET6) return true;
    return !rp_address_is_wildcard(dump->address) || reported_v6only(header) == dump->address->v6only;
}

static int append(struct dump *dump, const struct rpctl_diag_entry *entry)
{
    if (!dump->count_only) {
        if (dump->list.count == RPCTL_DIAG_ENTRIES_MAX) return -E2BIG;
        if (dump->list.count == dump->capacity) {
            size_t capacity = dump->capacity ? 2 * dump->capacity : 64;
            void *grown = realloc(dump->list.entries, capacity * sizeof(*entry));

            if (!grown) return -ENOMEM;
            dump->list.entries = grown;
            dump->capacity = capacity;
        }
        dump->list.entries[dump->list.count] = *entry;
    }
    dump->list.count++;
    return 0;
}

static int on_socket(const struct nlmsghdr *header, void *data)
{
    struct dump *dump = data;
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    struct rpctl_diag_entry entry = {0};

    if (mnl_nlmsg_get_payload_len(header) < sizeof(*message)) {
        dump->failure = -EBADMSG;
        return MNL_CB_STOP;
    }
    endpoint_of_diag(&entry.local, message->idiag_family, message->id.idiag_src, message->id.idiag_sport);
    if (!matches(dump, &entry.local, header)) return MNL_CB_OK;
    endpoint_of_diag(&entry.remote, message->idiag_family, message->id.idiag_dst, message->id.idiag_dport);
    entry.inode = message->idiag_inode;
    entry.cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
    entry.uid = message->idiag_uid;
    entry.device = message->id.idiag_if;
    dump->failure = append(dump, &entry);
    return dump->failure == 0 ? MNL_CB_OK : MNL_CB_STOP;
}

/* A dump that fails on the way says so in its last message, which libmnl does not look at. */
static int on_done(const struct nlmsghdr *header, void *data)
{
    struct dump *dump = data;

    if (mnl_nlmsg_get_payload_len(header) >= sizeof(int)) {
        int code;

        memcpy(&code, mnl_nlmsg_get_payload(header), sizeof(code));
        if (code < 0) dump->failure = code;
    }
    return MNL_CB_STOP;
}

static int on_error(const struct nlmsghdr *header, void *data)
{
    const struct nlmsgerr *failure = mnl_nlmsg_get_payload(header);

    (void)data;
    if (mnl_nlmsg_get_payload_len(header) < sizeof(*failure))
        errno = EBADMSG;
    else if (failure->error == 0)
        return MNL_CB_STOP;
    else
        errno = failure->error < 0 ? -failure->error : failure->error;
    return MNL_CB_ERROR;
}

static int send_request(struct mnl_socket *netlink, const struct dump *dump, unsigned sequence)
{
    char buffer[sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2) + 64] = {0};
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof(*request));

    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = sequence;
    request->sdiag_family = (uint8_t)dump->address->storage.ss_family;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = 1u << dump->state;
    request->id.idiag_sport = htons(dump->wanted.port);
    return mnl_socket_sendto(netlink, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int receive_all(struct mnl_socket *netlink, struct dump *dump, unsigned sequence)
{
    mnl_cb_t control[NLMSG_MIN_TYPE] = {[NLMSG_ERROR] = on_error, [NLMSG_DONE] = on_done};
    unsigned port = mnl_socket_get_portid(netlink);
    char *buffer = malloc(BUFFER_BYTES);
    int more = buffer ? MNL_CB_OK : MNL_CB_STOP;
    int result = buffer ? 0 : -ENOMEM;

    while (more > MNL_CB_STOP) {
        ssize_t length = mnl_socket_recvfrom(netlink, buffer, BUFFER_BYTES);

        if (length < 0 && errno == EINTR) continue;
        more = length < 0 ? MNL_CB_ERROR
                          : mnl_cb_run2(buffer, (size_t)length, sequence, port, on_socket, dump, control,
                                        NLMSG_MIN_TYPE);
        if (more == MNL_CB_ERROR) result = -errno;
    }
    free(buffer);
    return result < 0 ? result : dump->failure;
}

/* One attempt. A socket of its own for each, so that the rest of one that was broken off is not read. */
static int dump_once(struct dump *dump, unsigned sequence)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    int result;

    if (!netlink) return -errno;
    dump->list.count = 0;
    dump->failure = 0;
    if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        result = -errno;
    else
        result = send_request(netlink, dump, sequence);
    if (result == 0) result = receive_all(netlink, dump, sequence);
    mnl_socket_close(netlink);
    return result;
}

static int dump_all(struct dump *dump, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    int result = -EINTR;

    assert(dump->address->storage.ss_family == AF_INET || dump->address->storage.ss_family == AF_INET6);
    endpoint_of_address(&dump->wanted, dump->address);
    dump->any_local = dump->state != TCP_LISTEN && rp_address_is_wildcard(dump->address);
    /* libmnl reports NLM_F_DUMP_INTR as EINTR. */
    for (unsigned attempt = 1; result == -EINTR && attempt <= ATTEMPTS_MAX; attempt++)
        result = dump_once(dump, attempt);
    if (result == 0) return 0;
    rpctl_diag_list_free(&dump->list);
    rp_address_format(dump->address, text);
    return rp_error_set(error, result, "cannot list the sockets on %s (sock_diag): %s", text,
                        strerror(-result));
}

static int list(const struct rp_address *address, int state, struct rpctl_diag_list *ret_list,
                struct rp_error *error)
{
    struct dump dump = {.address = address, .state = state};
    int result = dump_all(&dump, error);

    if (result == 0) *ret_list = dump.list;
    return result;
}

int rpctl_sock_diag_listeners(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                              struct rp_error *error)
{
    return list(address, TCP_LISTEN, ret_list, error);
}

int rpctl_sock_diag_half_open(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                              struct rp_error *error)
{
    return list(address, TCP_SYN_RECV, ret_list, error);
}

int rpctl_sock_diag_established(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                                struct rp_error *error)
{
    return list(address, TCP_ESTABLISHED, ret_list, error);
}

int rpctl_sock_diag_count_established(const struct rp_address *address, size_t *ret_count,
                                      struct rp_error *error)
{
    struct dump dump = {.address = address, .state = TCP_ESTABLISHED, .count_only = true};
    int result = dump_all(&dump, error);

    if (result == 0) *ret_count = dump.list.count;
    return result;
}

void rpctl_diag_list_free(struct rpctl_diag_list *list)
{
    free(list->entries);
    *list = (struct rpctl_diag_list){0};
}
