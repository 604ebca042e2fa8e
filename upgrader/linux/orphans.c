#include "linux/orphans.h"

#include "linux/process.h"
#include "linux/process_environment.h"
#include "linux/sock_diag.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESSES_MAX 65536 /* of this user */

/* The questions below answer 1 for yes, 0 for no, and -errno when it cannot be told: who is passed over for
 * want of a descriptor may listen for ever. A process that is gone, or another user's, is a no. */

static bool has_value(const struct rpctl_process_environment *environment, const char *name,
                      const char *value)
{
    const char *found = rpctl_process_environment_get(environment, name);

    return found && strcmp(found, value) == 0;
}

enum mark { UNMARKED, OURS, ANOTHERS };

/* By the environment: of this generation, of another one of the service, or neither. */
static int read_mark(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    struct rpctl_process_environment environment = {0};
    char generation[16];
    int status = rpctl_process_environment_read(pid, &environment);
    int mark = UNMARKED;

    if (status < 0) return status == -ESRCH || status == -EACCES ? UNMARKED : status;
    snprintf(generation, sizeof generation, "%u", owner->generation);
    if (has_value(&environment, "RP_SERVICE", owner->service) &&
        (!owner->taken_over || has_value(&environment, "NOTIFY_SOCKET", owner->notify_path)))
        mark = has_value(&environment, "RP_GENERATION", generation) ? OURS : ANOTHERS;
    rpctl_process_environment_free(&environment);
    return mark;
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid) return true;
    return false;
}

static const struct rpctl_orphan_leader *find_leader(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    for (size_t i = 0; i < owner->leader_count; i++)
        if (owner->leaders[i].pid == pid) return &owner->leaders[i];
    return NULL;
}

static bool is_launched(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    return pid == getpid() || find_leader(owner, pid) || contains(owner->others, owner->other_count, pid);
}

/* --- those without a mark ------------------------------------------------------------------------------- */

/* A child of ours between fork and exec: a copy of this process, with all its listeners. */
static bool is_being_launched(pid_t pid)
{
    char path[32];
    struct stat own, other;

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    if (stat("/proc/self/exe", &own) < 0 || stat(path, &other) < 0) return false;
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static int is_of_another(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    struct rpctl_process_member *members = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *members);
    size_t count = 0;
    int status = members ? rpctl_process_trees(owner->others, owner->other_count, members,
                                               RPCTL_PROCESS_TREE_MAX, &count, NULL)
                         : -ENOMEM;

    for (size_t i = 0; status == 0 && i < count; i++)
        if (members[i].pid == pid) status = 1;
    free(members);
    return status;
}

static int holds_one_of(const struct rpctl_diag_list *listeners, const struct rpctl_process_socket *sockets,
                        size_t count)
{
    for (size_t i = 0; i < listeners->count; i++)
        for (size_t k = 0; k < count; k++)
            if (sockets[k].inode == listeners->entries[i].inode) return 1;
    return 0;
}

static int listens(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    int status = rpctl_process_sockets(pid, &sockets, &count, NULL);

    if (status < 0) return status == -ESRCH || status == -EACCES ? 0 : status;
    for (size_t i = 0; status == 0 && count > 0 && i < owner->address_count; i++) {
        struct rpctl_diag_list listeners = {0};

        status = rpctl_sock_diag_listeners(&owner->addresses[i], &listeners, NULL);
        if (status == 0) status = holds_one_of(&listeners, sockets, count);
        rpctl_diag_list_free(&listeners);
    }
    free(sockets);
    return status;
}

/* The cheap questions first. */
static int is_daemon_of_ours(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    uint64_t started = 0;
    int status = rpctl_process_start_time(pid, &started);

    if (status < 0) return status == -ESRCH ? 0 : status;
    if (started < owner->since || is_being_launched(pid)) return 0;
    status = is_of_another(owner, pid);
    if (status != 0) return status < 0 ? status : 0;
    return listens(owner, pid);
}

/* ----------------------------------------------------------------------------------------------------------
 */

/* In the session of one of the leaders, and not in one that somebody else has made under a pid that was used
 * again. */
static int is_in_session(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    pid_t session = getsid(pid);
    const struct rpctl_orphan_leader *leader = session > 0 ? find_leader(owner, session) : NULL;
    uint64_t started = 0;
    int status = leader ? rpctl_process_start_time(pid, &started) : -ESRCH;

    if (status < 0) return status == -ESRCH ? 0 : status;
    return started <= leader->ended;
}

static int belongs(const struct rpctl_orphan_owner *owner, pid_t pid)
{
    int status, mark;

    if (is_launched(owner, pid)) return 0;
    status = is_in_session(owner, pid);
    if (status != 0) return status;
    mark = read_mark(owner, pid);
    if (mark < 0) return mark;
    if (mark != UNMARKED) return mark == OURS;
    /* Who is not our descendant may be anybody's. */
    return owner->taken_over ? 0 : is_daemon_of_ours(owner, pid);
}

static int find_among(const struct rpctl_orphan_owner *owner, const pid_t *tree, size_t count,
                      pid_t pids[RPCTL_ORPHANS_MAX], size_t *ret_count, struct rp_error *error)
{
    size_t found = 0;

    for (size_t i = 0; i < count && found < RPCTL_ORPHANS_MAX; i++) {
        int status = belongs(owner, tree[i]);

        if (status < 0)
            return rp_error_set(error, status, "cannot look at process %d: %s", (int)tree[i],
                                strerror(-status));
        if (status > 0) pids[found++] = tree[i];
    }
    *ret_count = found;
    return 0;
}

int rpctl_orphans_find(const struct rpctl_orphan_owner *owner, pid_t pids[RPCTL_ORPHANS_MAX],
                       size_t *ret_count, struct rp_error *error)
{
    size_t count = 0, max = owner->taken_over ? PROCESSES_MAX : RPCTL_PROCESS_TREE_MAX;
    pid_t *tree = malloc(max * sizeof *tree);
    int status;

    if (!tree) return rp_error_set(error, -ENOMEM, "no memory to look for processes that were left behind");
    status = owner->taken_over ? rpctl_process_all(tree, max, &count, error)
                               : rpctl_process_tree(getpid(), tree, max, &count, error);
    if (status == 0) status = find_among(owner, tree, count, pids, ret_count, error);
    free(tree);
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
        if (belongs(owner, pids[i]) > 0) rpctl_process_signal(&process, signal_number);
        rpctl_process_close(&process);
    }
    *ret_count = count;
    return 0;
}
