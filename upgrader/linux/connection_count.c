#include "linux/connection_count.h"

#include "linux/process.h"
#include "linux/sock_diag.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Theory. sock_diag lists the connections with their inodes, /proc tells which process holds which inode.
 * Most servers are one process for each of the pids asked for, so those are looked at first; the walk through
 * all of /proc for their descendants is made only when a connection is left that none of them holds. */

struct connection {
    uint64_t inode;
    bool counted; /* it counts once, though several processes hold it */
};

struct connections {
    struct connection *items; /* sorted, each inode once */
    size_t count;
    size_t uncounted;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct connection *)a)->inode, right = ((const struct connection *)b)->inode;

    return left < right ? -1 : left > right;
}

/* Those in an accept queue have no inode. */
static int append(struct connections *connections, const struct rpctl_diag_list *list)
{
    size_t most = connections->count + list->count;
    struct connection *grown = realloc(connections->items, (most + 1) * sizeof *grown);

    if (!grown) return -ENOMEM;
    connections->items = grown;
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].inode)
            grown[connections->count++] = (struct connection){.inode = list->entries[i].inode};
    return 0;
}

/* Two of the addresses may cover the same connection. */
static void sort(struct connections *connections)
{
    size_t kept = 0;

    if (connections->count > 0)
        qsort(connections->items, connections->count, sizeof *connections->items, compare);
    for (size_t i = 0; i < connections->count; i++)
        if (kept == 0 || connections->items[kept - 1].inode != connections->items[i].inode)
            connections->items[kept++] = connections->items[i];
    connections->count = connections->uncounted = kept;
}

static int list_all(const struct rp_address *addresses, size_t address_count, struct connections *connections,
                    struct rp_error *error)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < address_count; i++) {
        struct rpctl_diag_list list = {0};

        status = rpctl_sock_diag_established(&addresses[i], &list, error);
        if (status == 0 && append(connections, &list) < 0)
            status = rp_error_set(error, -ENOMEM, "no memory to count connections");
        rpctl_diag_list_free(&list);
    }
    sort(connections);
    return status;
}

static void count_held(struct connections *connections, const struct rpctl_process_socket *sockets,
                       size_t socket_count, unsigned long *count)
{
    for (size_t i = 0; i < socket_count; i++) {
        struct connection wanted = {.inode = sockets[i].inode};
        struct connection *found =
            bsearch(&wanted, connections->items, connections->count, sizeof wanted, compare);

        if (!found || found->counted) continue;
        found->counted = true;
        connections->uncounted--;
        ++*count;
    }
}

static int count_process(struct connections *connections, pid_t pid, unsigned long *count,
                         struct rp_error *error)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t socket_count = 0;
    int status;

    if (connections->uncounted == 0) return 0;
    status = rpctl_process_sockets(pid, &sockets, &socket_count, error);
    if (status < 0) return status == -ESRCH ? 0 : status;
    count_held(connections, sockets, socket_count, count);
    free(sockets);
    return 0;
}

static int count_descendants(struct connections *connections, const pid_t *pids, size_t pid_count,
                             unsigned long *counts, struct rp_error *error)
{
    struct rpctl_process_member *members = calloc(RPCTL_PROCESS_TREE_MAX, sizeof *members);
    size_t count = 0;
    int status;

    if (!members) return rp_error_set(error, -ENOMEM, "no memory to count connections");
    status = rpctl_process_trees(pids, pid_count, members, RPCTL_PROCESS_TREE_MAX, &count, error);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = count_process(connections, members[i].pid, &counts[members[i].root], error);
    free(members);
    return status;
}

int rpctl_connection_count_each(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                                size_t pid_count, unsigned long *ret_counts, struct rp_error *error)
{
    struct connections connections = {0};
    unsigned long *counts = calloc(pid_count + 1, sizeof *counts);
    int status = counts ? 0 : rp_error_set(error, -ENOMEM, "no memory to count connections");

    if (status == 0 && pid_count > 0) status = list_all(addresses, address_count, &connections, error);
    for (size_t i = 0; status == 0 && i < pid_count; i++)
        status = count_process(&connections, pids[i], &counts[i], error);
    if (status == 0 && connections.uncounted > 0)
        status = count_descendants(&connections, pids, pid_count, counts, error);
    if (status == 0) memcpy(ret_counts, counts, pid_count * sizeof *counts);
    free(connections.items);
    free(counts);
    return status;
}

int rpctl_connection_count(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                           size_t pid_count, unsigned long *ret_count, struct rp_error *error)
{
    unsigned long *counts = calloc(pid_count + 1, sizeof *counts);
    unsigned long sum = 0;
    int status;

    if (!counts) return rp_error_set(error, -ENOMEM, "no memory to count connections");
    status = rpctl_connection_count_each(addresses, address_count, pids, pid_count, counts, error);
    for (size_t i = 0; i < pid_count; i++) sum += counts[i];
    free(counts);
    if (status == 0) *ret_count = sum;
    return status;
}
