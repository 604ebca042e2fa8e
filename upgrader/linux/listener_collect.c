#include "linux/listener_collect.h"

#include "linux/process.h"
#include "linux/tcp_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_known(const struct rpctl_collected *collected, uint64_t id)
{
    for (size_t i = 0; i < collected->count; i++)
        if (collected->ids[i] == id) return true;
    return false;
}

/* A listener that lacks something is worth a word, other sockets are nobody's business; one of which it
 * cannot be told may be a listener that would be missed. */
static int pass_over(struct rpctl_collected *collected, const struct rp_error *reason, struct rp_error *error)
{
    switch (-reason->code) {
    case ENOPROTOOPT:
    case EOPNOTSUPP: snprintf(collected->unfit, sizeof collected->unfit, "%s", reason->message); return 0;
    case ENOTSOCK:
    case EPROTONOSUPPORT:
    case EINVAL: return 0;
    default: return rp_error_set(error, reason->code, "%s", reason->message);
    }
}

/* Without the file nothing is known to be ephemeral. */
static bool is_ephemeral(uint16_t port)
{
    unsigned first, last;
    char text[64];
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0) close(fd);
    if (length <= 0) return false;
    text[length] = '\0';
    return sscanf(text, "%u %u", &first, &last) == 2 && port >= first && port <= last;
}

static void note_bar(struct rpctl_collected *collected, int fd, int status)
{
    struct rp_address address;

    if (rp_address_of_socket(&address, fd, NULL) < 0) return;
    if (status == -ENOPROTOOPT && is_ephemeral(rp_address_port(&address))) return;
    collected->bars = true;
    collected->bar = address;
}

/* Keeps the descriptor if it is a listener that can take part; closes it otherwise. */
static int sort_in(struct rpctl_collected *collected, int fd, struct rp_error *error)
{
    struct rpctl_tcp_listener listener;
    struct rp_error reason;
    int status = rpctl_tcp_listener_inspect(fd, &listener, &reason);

    if (status == -ENOPROTOOPT || status == -EOPNOTSUPP) note_bar(collected, fd, status);
    if (status < 0) {
        close(fd);
        return pass_over(collected, &reason, error);
    }
    if (collected->count == RP_LISTENERS_MAX) {
        close(fd);
        return rp_error_set(error, -ENOSPC, "the process has more than %d listeners", RP_LISTENERS_MAX);
    }
    collected->fds[collected->count] = fd;
    collected->ids[collected->count] = listener.id;
    collected->addresses[collected->count++] = listener.address;
    return 0;
}

static int collect_sockets(struct rpctl_collected *collected, const struct rpctl_process *process,
                           const struct rpctl_process_socket *sockets, size_t count, struct rp_error *error)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++) {
        int fd;

        if (is_known(collected, sockets[i].inode)) continue;
        status = rpctl_process_take_fd(process, sockets[i].fd, &fd, error);
        if (status == 0)
            status = sort_in(collected, fd, error);
        else if (status == -EBADF) /* closed meanwhile */
            status = 0;
    }
    return status;
}

static int collect_process(struct rpctl_collected *collected, pid_t pid, struct rp_error *error)
{
    struct rpctl_process process;
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    int status = rpctl_process_open(&process, pid, error);

    if (status < 0) return status == -ESRCH ? 0 : status;
    status = rpctl_process_sockets(pid, &sockets, &count, error);
    if (status == 0) status = collect_sockets(collected, &process, sockets, count, error);
    free(sockets);
    rpctl_process_close(&process);
    return status == -ESRCH ? 0 : status;
}

int rpctl_listeners_collect(pid_t pid, struct rpctl_collected *ret_collected, struct rp_error *error)
{
    pid_t *pids = malloc(RPCTL_PROCESS_TREE_MAX * sizeof *pids);
    size_t count = 0;
    int status;

    ret_collected->count = 0;
    ret_collected->unfit[0] = '\0';
    ret_collected->bars = false;
    if (!pids) return rp_error_set(error, -ENOMEM, "no memory to look at the sockets of pid %d", (int)pid);
    status = rpctl_process_tree(pid, pids, RPCTL_PROCESS_TREE_MAX, &count, error);
    for (size_t i = 0; status == 0 && i < count; i++) status = collect_process(ret_collected, pids[i], error);
    free(pids);
    if (status < 0) rpctl_collected_close(ret_collected);
    return status;
}

void rpctl_collected_close(struct rpctl_collected *collected)
{
    for (size_t i = 0; i < collected->count; i++) close(collected->fds[i]);
    collected->count = 0;
}

void rpctl_collected_join(struct rpctl_collected *collected, struct rpctl_collected *more)
{
    size_t left = 0;

    for (size_t i = 0; i < more->count; i++) {
        if (is_known(collected, more->ids[i]) || collected->count == RP_LISTENERS_MAX) {
            more->fds[left++] = more->fds[i]; /* to be closed */
            continue;
        }
        collected->fds[collected->count] = more->fds[i];
        collected->ids[collected->count] = more->ids[i];
        collected->addresses[collected->count++] = more->addresses[i];
    }
    more->count = left;
}

struct rpctl_collected *rpctl_collected_move(struct rpctl_collected *collected)
{
    struct rpctl_collected *moved = malloc(sizeof *moved);

    if (!moved) return NULL;
    *moved = *collected;
    collected->count = 0;
    return moved;
}

void rpctl_collected_free(struct rpctl_collected *collected)
{
    if (collected) rpctl_collected_close(collected);
    free(collected);
}
