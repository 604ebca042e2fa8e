#include "linux/connection_count.h"

#include "linux/process.h"
#include "linux/sock_diag.h"

#include <errno.h>
#include <stdlib.h>

struct inodes {
    uint64_t *values;
    size_t count;
    size_t capacity;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static int append(struct inodes *inodes, const struct rpctl_process_socket *sockets, size_t count)
{
    size_t needed = inodes->count + count;

    if (needed > inodes->capacity) {
        uint64_t *grown = realloc(inodes->values, 2 * needed * sizeof *grown);

        if (!grown) return -ENOMEM;
        inodes->values = grown;
        inodes->capacity = 2 * needed;
    }
    for (size_t i = 0; i < count; i++) inodes->values[inodes->count++] = sockets[i].inode;
    return 0;
}

static int append_process(struct inodes *inodes, pid_t pid, struct rp_error *error)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    int status = rpctl_process_sockets(pid, &sockets, &count, error);

    if (status < 0) return status == -ESRCH ? 0 : status;
    status = append(inodes, sockets, count);
    free(sockets);
    return status < 0 ? rp_error_set(error, status, "no memory for the sockets of pid %d", (int)pid) : 0;
}

static int append_tree(struct inodes *inodes, pid_t root, struct rp_error *error)
{
    pid_t *pids = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *pids);
    size_t count = 0;
    int status;

    if (!pids) return rp_error_set(error, -ENOMEM, "no memory for the processes of pid %d", (int)root);
    status = rpctl_process_tree(root, pids, RPCTL_PROCESS_TREE_MAX, &count, error);
    if (status == -ESRCH) status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) status = append_process(inodes, pids[i], error);
    free(pids);
    return status;
}

static unsigned long count_held(const struct rpctl_diag_list *connections, const struct inodes *inodes)
{
    unsigned long held = 0;

    for (size_t i = 0; i < connections->count; i++) {
        const uint64_t *inode = &connections->entries[i].inode;

        if (*inode && bsearch(inode, inodes->values, inodes->count, sizeof *inode, compare)) held++;
    }
    return held;
}

int rpctl_connection_count(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                           size_t pid_count, unsigned long *ret_count, struct rp_error *error)
{
    struct inodes inodes = {0};
    unsigned long held = 0;
    int status = 0;

    for (size_t i = 0; status == 0 && i < pid_count; i++) status = append_tree(&inodes, pids[i], error);
    if (inodes.count > 0) qsort(inodes.values, inodes.count, sizeof *inodes.values, compare);
    for (size_t i = 0; status == 0 && inodes.count > 0 && i < address_count; i++) {
        struct rpctl_diag_list connections = {0};

        status = rpctl_sock_diag_established(&addresses[i], &connections, error);
        if (status == 0) held += count_held(&connections, &inodes);
        rpctl_diag_list_free(&connections);
    }
    free(inodes.values);
    if (status == 0) *ret_count = held;
    return status;
}
