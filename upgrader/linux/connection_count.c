#include "linux/connection_count.h"

#include "linux/process.h"
#include "linux/sock_diag.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED SIZE_MAX /* in the place of a holder */

struct held {
    uint64_t inode;
    size_t holder; /* index of the process */
};

struct held_list {
    struct held *items;
    size_t count;
    size_t capacity;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct held *)a)->inode, right = ((const struct held *)b)->inode;

    return left < right ? -1 : left > right;
}

static int append(struct held_list *held, size_t holder, const struct rpctl_process_socket *sockets,
                  size_t count)
{
    size_t needed = held->count + count;

    if (needed > held->capacity) {
        struct held *grown = realloc(held->items, 2 * needed * sizeof *grown);

        if (!grown) return -ENOMEM;
        held->items = grown;
        held->capacity = 2 * needed;
    }
    for (size_t i = 0; i < count; i++) held->items[held->count++] = (struct held){sockets[i].inode, holder};
    return 0;
}

static int append_process(struct held_list *held, size_t holder, pid_t pid, struct rp_error *error)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    int status = rpctl_process_sockets(pid, &sockets, &count, error);

    if (status < 0) return status == -ESRCH ? 0 : status;
    status = append(held, holder, sockets, count);
    free(sockets);
    return status < 0 ? rp_error_set(error, status, "no memory for the sockets of pid %d", (int)pid) : 0;
}

static int append_tree(struct held_list *held, size_t holder, pid_t root, struct rp_error *error)
{
    pid_t *pids = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *pids);
    size_t count = 0;
    int status;

    if (!pids) return rp_error_set(error, -ENOMEM, "no memory for the processes of pid %d", (int)root);
    status = rpctl_process_tree(root, pids, RPCTL_PROCESS_TREE_MAX, &count, error);
    if (status == -ESRCH) status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) status = append_process(held, holder, pids[i], error);
    free(pids);
    return status;
}

/* A connection is counted once, though several processes hold it or two of the addresses cover it. */
static void count_held(const struct rpctl_diag_list *connections, struct held_list *held,
                       unsigned long *counts)
{
    for (size_t i = 0; i < connections->count; i++) {
        struct held wanted = {.inode = connections->entries[i].inode};
        struct held *found;

        if (wanted.inode == 0 || held->count == 0) continue;
        found = bsearch(&wanted, held->items, held->count, sizeof wanted, compare);
        if (!found || found->holder == COUNTED) continue;
        counts[found->holder]++;
        found->holder = COUNTED;
    }
}

static int count_all(const struct rp_address *addresses, size_t address_count, struct held_list *held,
                     unsigned long *counts, struct rp_error *error)
{
    int status = 0;

    for (size_t i = 0; status == 0 && held->count > 0 && i < address_count; i++) {
        struct rpctl_diag_list connections = {0};

        status = rpctl_sock_diag_established(&addresses[i], &connections, error);
        if (status == 0) count_held(&connections, held, counts);
        rpctl_diag_list_free(&connections);
    }
    return status;
}

int rpctl_connection_count_each(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                                size_t pid_count, unsigned long *ret_counts, struct rp_error *error)
{
    struct held_list held = {0};
    unsigned long *counts = calloc(pid_count + 1, sizeof *counts);
    int status = counts ? 0 : rp_error_set(error, -ENOMEM, "no memory to count connections");

    for (size_t i = 0; status == 0 && i < pid_count; i++) status = append_tree(&held, i, pids[i], error);
    if (held.count > 0) qsort(held.items, held.count, sizeof *held.items, compare);
    if (status == 0) status = count_all(addresses, address_count, &held, counts, error);
    if (status == 0) memcpy(ret_counts, counts, pid_count * sizeof *counts);
    free(held.items);
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
