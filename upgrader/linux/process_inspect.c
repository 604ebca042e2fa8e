#include "linux/process.h"
#include "linux/process_stat.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- sockets of one process --- */

struct socket_list {
    struct rpctl_process_socket *items;
    size_t count, capacity;
};

static int append_socket(struct socket_list *list, struct rpctl_process_socket socket)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct rpctl_process_socket *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = socket;
    return 0;
}

/* 1 for a socket, else 0. Descriptors come and go while we read: one that is gone is none. */
static int read_socket_inode(int dir_fd, const char *name, uint64_t *ret_inode)
{
    char target[64];
    ssize_t length = readlinkat(dir_fd, name, target, sizeof target - 1);
    if (length < 0) return errno == ENOENT ? 0 : -errno;
    target[length] = '\0';
    return sscanf(target, "socket:[%" SCNu64 "]", ret_inode) == 1;
}

static int read_sockets(DIR *dir, struct socket_list *list)
{
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir))) {
        struct rpctl_process_socket socket;
        if (entry->d_name[0] == '.') continue;
        int r = read_socket_inode(dirfd(dir), entry->d_name, &socket.inode);
        if (r == 0) continue;
        socket.fd = atoi(entry->d_name);
        if (r > 0) r = append_socket(list, socket);
        if (r < 0) return r;
    }
    return -errno;
}

int rpctl_process_sockets(pid_t pid, struct rpctl_process_socket **ret_sockets, size_t *ret_count,
                          struct rp_error *error)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    int r = dir ? 0 : errno == ENOENT ? -ESRCH : -errno;
    struct socket_list list = {0};
    if (dir) {
        r = read_sockets(dir, &list);
        closedir(dir);
    }
    if (r < 0) {
        free(list.items);
        return rp_error_set(error, r, "cannot read the descriptors of process %d: %s", (int)pid,
                            strerror(-r));
    }
    *ret_sockets = list.items;
    *ret_count = list.count;
    return 0;
}

/* --- the tree of one process --- */

struct stat_list {
    struct rpctl_process_stat *items;
    size_t count, capacity;
};

static int append_stat(struct stat_list *list, const struct rpctl_process_stat *stat)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        struct rpctl_process_stat *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *stat;
    return 0;
}

/* A process that is gone, or that /proc hides from us (hidepid), is none of ours. One that cannot be read for
 * another reason must not be missed. */
static bool may_be_passed_over(int code)
{
    return code == -ESRCH || code == -EACCES || code == -EPERM || code == -EPROTO;
}

static int read_all_stats(DIR *dir, struct stat_list *list)
{
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir))) {
        struct rpctl_process_stat stat;
        int pid = atoi(entry->d_name);
        if (pid <= 0) continue;
        int r = rpctl_process_stat_read(pid, &stat);
        if (may_be_passed_over(r)) continue;
        if (r == 0) r = append_stat(list, &stat);
        if (r < 0) return r;
    }
    return -errno;
}

static bool is_dead(const struct rpctl_process_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X';
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid) return true;
    return false;
}

/* Adds whoever belongs to those that are there; 1 when somebody was added, else 0. A dead process has no
 * children any more: they have another parent by then. */
static int add_relatives(const struct stat_list *all, pid_t leader, pid_t *pids, size_t max, size_t *count)
{
    size_t before = *count;
    for (size_t i = 0; i < all->count; i++) {
        const struct rpctl_process_stat *stat = &all->items[i];
        if (is_dead(stat) || contains(pids, *count, stat->pid)) continue;
        if (stat->pid != leader && stat->session != leader && !contains(pids, *count, stat->parent)) continue;
        if (*count == max) return -E2BIG;
        pids[(*count)++] = stat->pid;
    }
    return *count > before;
}

static void move_to_front(pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 1; i < count; i++)
        if (pids[i] == pid) {
            pids[i] = pids[0];
            pids[0] = pid;
        }
}

static int tree_of(const struct stat_list *all, pid_t pid, pid_t *pids, size_t max, size_t *ret_count)
{
    size_t count = 0;
    int r;
    do r = add_relatives(all, pid, pids, max, &count);
    while (r > 0);
    if (r < 0) return r;
    move_to_front(pids, count, pid);
    *ret_count = count;
    return 0;
}

static int read_proc(struct stat_list *all)
{
    DIR *dir = opendir("/proc");
    if (!dir) return -errno;
    int r = read_all_stats(dir, all);
    closedir(dir);
    return r;
}

static int cannot_read(int code, struct rp_error *error)
{
    return rp_error_set(error, code, "cannot read /proc: %s", strerror(-code));
}

int rpctl_process_tree(pid_t pid, pid_t *pids, size_t max, size_t *ret_count, struct rp_error *error)
{
    struct stat_list all = {0};
    int r = read_proc(&all);
    if (r == 0) r = tree_of(&all, pid, pids, max, ret_count);
    free(all.items);
    if (r == -E2BIG) return rp_error_set(error, r, "process %d has more than %zu descendants", (int)pid, max);
    return r < 0 ? cannot_read(r, error) : 0;
}

static bool is_member(const struct rpctl_process_member *members, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (members[i].pid == pid) return true;
    return false;
}

static int add_members(const struct stat_list *all, const pid_t *roots, size_t root, pid_t *pids,
                       struct rpctl_process_member *members, size_t max, size_t *count)
{
    size_t found = 0;
    int r = tree_of(all, roots[root], pids, max, &found);
    for (size_t i = 0; r == 0 && i < found; i++) {
        if (is_member(members, *count, pids[i])) continue;
        if (*count == max) return -E2BIG;
        members[(*count)++] = (struct rpctl_process_member){pids[i], root};
    }
    return r;
}

int rpctl_process_trees(const pid_t *roots, size_t root_count, struct rpctl_process_member *members,
                        size_t max, size_t *ret_count, struct rp_error *error)
{
    struct stat_list all = {0};
    pid_t *pids = calloc(max, sizeof *pids);
    size_t count = 0;
    int r = pids ? read_proc(&all) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < root_count; i++)
        r = add_members(&all, roots, i, pids, members, max, &count);
    free(all.items);
    free(pids);
    if (r == -E2BIG) return rp_error_set(error, r, "the processes have more than %zu descendants", max);
    if (r < 0) return cannot_read(r, error);
    *ret_count = count;
    return 0;
}

int rpctl_process_all(pid_t *pids, size_t max, size_t *ret_count, struct rp_error *error)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;
    if (!dir) return rp_error_set(error, -errno, "cannot read /proc: %s", strerror(errno));
    while (count < max && (entry = readdir(dir))) {
        struct rpctl_process_stat stat;
        uid_t user;
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || rpctl_process_stat_read(pid, &stat) < 0 || is_dead(&stat)) continue;
        if (rpctl_process_user(pid, &user) == 0 && user == geteuid()) pids[count++] = pid;
    }
    closedir(dir);
    *ret_count = count;
    return 0;
}
