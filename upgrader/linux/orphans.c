#include "linux/orphans.h"

#include "linux/process.h"
#include "linux/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT_BYTES_MAX (256u * 1024)

/* As much of /proc/PID/environ as there is; NUL-terminated entries. The caller frees. NULL: gone, or not
 * ours. */
static char *read_environment(pid_t pid, size_t *ret_length)
{
    char path[32];
    char *bytes = malloc(ENVIRONMENT_BYTES_MAX + 1);
    ssize_t length = 0, got = 1;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = bytes ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        free(bytes);
        return NULL;
    }
    while (got > 0 && length < (ssize_t)ENVIRONMENT_BYTES_MAX) {
        got = read(fd, bytes + length, ENVIRONMENT_BYTES_MAX - (size_t)length);
        if (got > 0) length += got;
    }
    close(fd);
    bytes[length] = '\0';
    *ret_length = (size_t)length;
    return bytes;
}

static bool has_entry(const char *entries, size_t length, const char *wanted)
{
    for (const char *entry = entries; entry < entries + length; entry += strlen(entry) + 1)
        if (strcmp(entry, wanted) == 0) return true;
    return false;
}

static bool says_so(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    char service[128], generation[40];
    size_t length = 0;
    char *entries = read_environment(pid, &length);
    bool says;

    if (!entries) return false;
    snprintf(service, sizeof service, "RP_SERVICE=%s", owner->service);
    snprintf(generation, sizeof generation, "RP_GENERATION=%u", owner->generation);
    says = has_entry(entries, length, service) && has_entry(entries, length, generation);
    free(entries);
    return says;
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid) return true;
    return false;
}

static bool is_launched(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    return pid == getpid() || contains(owner->leaders, owner->leader_count, pid) ||
           contains(owner->others, owner->other_count, pid);
}

static bool is_marked(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    pid_t session = getsid(pid);

    return (session > 0 && contains(owner->leaders, owner->leader_count, session)) || says_so(owner, pid);
}

/* --- those without a mark ---------------------------------------------------------------------------------
 */

static bool is_of_another(const struct rpctl_orphan_owner *owner, pid_t pid, pid_t *scratch)
{
    for (size_t i = 0; i < owner->other_count; i++) {
        size_t count = 0;

        if (rpctl_process_tree(owner->others[i], scratch, RPCTL_PROCESS_TREE_MAX, &count, NULL) < 0)
            return true;
        if (contains(scratch, count, pid)) return true;
    }
    return false;
}

static bool holds_one_of(const struct rpctl_diag_list *listeners, const struct rpctl_process_socket *sockets,
                         size_t count)
{
    for (size_t i = 0; i < listeners->count; i++)
        for (size_t k = 0; k < count; k++)
            if (sockets[k].inode == listeners->entries[i].inode) return true;
    return false;
}

static bool listens(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    bool found = false;

    if (rpctl_process_sockets(pid, &sockets, &count, NULL) < 0) return false;
    for (size_t i = 0; !found && count > 0 && i < owner->address_count; i++) {
        struct rpctl_diag_list listeners = {0};

        if (rpctl_sock_diag_listeners(&owner->addresses[i], &listeners, NULL) < 0) break;
        found = holds_one_of(&listeners, sockets, count);
        rpctl_diag_list_free(&listeners);
    }
    free(sockets);
    return found;
}

static bool is_unmarked_daemon(const struct rpctl_orphan_owner *owner, pid_t pid, pid_t *scratch)
{
    uint64_t started = 0;

    if (rpctl_process_start_time(pid, &started) < 0 || started < owner->since) return false;
    return listens(owner, pid) && !is_of_another(owner, pid, scratch);
}

/* ----------------------------------------------------------------------------------------------------------
 */

static bool belongs(const struct rpctl_orphan_owner *owner, pid_t pid, pid_t *scratch)
{
    if (is_launched(owner, pid)) return false;
    return is_marked(owner, pid) || is_unmarked_daemon(owner, pid, scratch);
}

static int find(const struct rpctl_orphan_owner *owner, pid_t *scratch, pid_t pids[RPCTL_ORPHANS_MAX],
                size_t *ret_count, struct rp_error *error)
{
    pid_t *tree = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *tree);
    size_t count = 0, found = 0;
    int status;

    if (!tree) return rp_error_set(error, -ENOMEM, "no memory to look for processes that were left behind");
    status = rpctl_process_tree(getpid(), tree, RPCTL_PROCESS_TREE_MAX, &count, error);
    for (size_t i = 0; status == 0 && i < count && found < RPCTL_ORPHANS_MAX; i++)
        if (belongs(owner, tree[i], scratch)) pids[found++] = tree[i];
    free(tree);
    if (status == 0) *ret_count = found;
    return status;
}

static pid_t *new_scratch(struct rp_error *error)
{
    pid_t *scratch = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *scratch);

    if (!scratch) rp_error_set(error, -ENOMEM, "no memory to look for processes that were left behind");
    return scratch;
}

int rpctl_orphans_find(const struct rpctl_orphan_owner *owner, pid_t pids[RPCTL_ORPHANS_MAX],
                       size_t *ret_count, struct rp_error *error)
{
    pid_t *scratch = new_scratch(error);
    int status = scratch ? find(owner, scratch, pids, ret_count, error) : -ENOMEM;

    free(scratch);
    return status;
}

static void signal_each(const struct rpctl_orphan_owner *owner, const pid_t *pids, size_t count,
                        int signal_number, pid_t *scratch)
{
    struct rpctl_process process;

    for (size_t i = 0; i < count; i++) {
        if (rpctl_process_open(&process, pids[i], NULL) < 0) continue;
        /* The pidfd is open now: whom we find under this pid is whom we signal. */
        if (belongs(owner, pids[i], scratch)) rpctl_process_signal(&process, signal_number);
        rpctl_process_close(&process);
    }
}

int rpctl_orphans_signal(const struct rpctl_orphan_owner *owner, int signal_number, size_t *ret_count,
                         struct rp_error *error)
{
    pid_t pids[RPCTL_ORPHANS_MAX];
    pid_t *scratch = new_scratch(error);
    size_t count = 0;
    int status = scratch ? find(owner, scratch, pids, &count, error) : -ENOMEM;

    if (status == 0) {
        signal_each(owner, pids, count, signal_number, scratch);
        *ret_count = count;
    }
    free(scratch);
    return status;
}
