#include "linux/occupied.h"
#include "linux/socket_holders.h"
#include "pure/port_holder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of one listener. */
struct holders {
    bool ours;
    int other; /* pid of a process that is not of this service; 0 = none was seen */
};

/* The variables that name the service, and among services of one name their directory. */
static bool has_our_mark(int pid)
{
    static const char *const names[] = {"RP_SERVICE", "NOTIFY_SOCKET"};
    char path[32], *entry = NULL;
    size_t size = 0, found = 0;
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    while (getdelim(&entry, &size, '\0', file) > 0) {
        for (size_t i = 0; i < 2; i++) {
            const char *own = getenv(names[i]);
            size_t length = strlen(names[i]);
            found += own != NULL && strncmp(entry, names[i], length) == 0 && entry[length] == '=' &&
                     strcmp(entry + length + 1, own) == 0;
        }
    }
    free(entry);
    fclose(file);
    return found == 2;
}

/* The supervisor is our parent, and has duplicates of what is ours. */
static bool on_holder(int pid, void *data)
{
    struct holders *holders = data;
    holders->ours = pid == (int)getppid() || has_our_mark(pid);
    if (!holders->ours) holders->other = pid;
    return holders->ours;
}

static bool is_expected(const struct rp_address *address, const struct rp_identity *identity)
{
    for (size_t i = 0; i < identity->expected_count; i++)
        if (rp_address_equal(address, &identity->expected[i])) return true;
    return false;
}

static int refuse(const struct rp_address *address, const struct rp_port_holder *holder, int pid,
                  const struct rp_identity *identity, struct rp_error *error)
{
    char wanted[RP_ADDRESS_TEXT_BYTES], held[RP_ADDRESS_TEXT_BYTES];
    rp_address_format(address, wanted);
    rp_address_format(&holder->address, held);
    return rp_error_set(error, -EADDRINUSE,
                        "cannot listen on %s: pid %d, which is not of service %.60s, listens on %s and would "
                        "lose connections; stop it first, or choose another port",
                        wanted, pid, identity->service, held);
}

/* Not beyond the listeners: of connections there may be very many, and the kernel is slow to list them. */
static int look_in(const char *path, int family, const struct rp_address *address,
                   const struct rp_identity *identity, struct rp_error *error)
{
    FILE *file = fopen(path, "re");
    char line[512];
    int result = 0;
    if (file == NULL) return 0;
    while (result == 0 && fgets(line, sizeof line, file) != NULL) {
        struct rp_port_holder holder;
        struct holders holders = {0};
        if (rp_port_holder_is_connection_line(line)) break;
        if (!rp_port_holder_parse_line(&holder, line, family, address)) continue;
        if (!rp_port_holder_would_lose(&holder, address)) continue;
        rp_socket_holders_find(holder.inode, on_holder, &holders);
        if (!holders.ours && holders.other != 0)
            result = refuse(address, &holder, holders.other, identity, error);
    }
    fclose(file);
    return result;
}

int rp_occupied_check(const struct rp_listeners *listeners, const struct rp_identity *identity,
                      struct rp_error *error)
{
    const struct rp_address *last = NULL;
    int result = 0;
    for (size_t i = 0; result == 0 && i < listeners->count; i++) {
        const struct rp_listener *listener = &listeners->items[i];
        const struct rp_address *address = &listener->address;
        bool seen = last != NULL && rp_address_equal(last, address);
        last = address;
        if (seen || listener->inherited || is_expected(address, identity)) continue;
        bool is_v6 = address->storage.ss_family == AF_INET6;
        result = look_in(is_v6 ? "/proc/net/tcp6" : "/proc/net/tcp", is_v6 ? AF_INET6 : AF_INET, address,
                         identity, error);
    }
    return result;
}
