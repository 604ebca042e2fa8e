#include "linux/orphans.h"

#include "linux/process.h"

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

static bool is_leader(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    for (size_t i = 0; i < owner->leader_count; i++)
        if (owner->leaders[i] == pid) return true;
    return false;
}

static bool belongs(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    pid_t session = getsid(pid);

    if (pid == getpid() || is_leader(owner, pid)) return false;
    return (session > 0 && is_leader(owner, session)) || says_so(owner, pid);
}

int rpctl_orphans_find(const struct rpctl_orphan_owner *owner, pid_t pids[RPCTL_ORPHANS_MAX],
                       size_t *ret_count, struct rp_error *error)
{
    pid_t *tree = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *tree);
    size_t count = 0, found = 0;
    int status;

    if (!tree) return rp_error_set(error, -ENOMEM, "no memory to look for processes that were left behind");
    status = rpctl_process_tree(getpid(), tree, RPCTL_PROCESS_TREE_MAX, &count, error);
    for (size_t i = 0; status == 0 && i < count && found < RPCTL_ORPHANS_MAX; i++)
        if (belongs(owner, tree[i])) pids[found++] = tree[i];
    free(tree);
    if (status == 0) *ret_count = found;
    return status;
}

int rpctl_orphans_signal(const struct rpctl_orphan_owner *owner, int signal_number, size_t *ret_count,
                         struct rp_error *error)
{
    pid_t pids[RPCTL_ORPHANS_MAX];
    struct rpctl_process process;
    size_t count = 0;
    int status = rpctl_orphans_find(owner, pids, &count, error);

    if (status < 0) return status;
    for (size_t i = 0; i < count; i++) {
        if (rpctl_process_open(&process, pids[i], NULL) < 0) continue;
        /* The pidfd is open now: whom we find under this pid is whom we signal. */
        if (belongs(owner, pids[i])) rpctl_process_signal(&process, signal_number);
        rpctl_process_close(&process);
    }
    *ret_count = count;
    return 0;
}
