/* Processes by pidfd and /proc: signal, duplicate a descriptor, reap, look at what they hold.
 *
 * struct rpctl_process owns one pidfd. A pid alone is never trusted: it may belong to somebody else by now.
 */
#ifndef RPCTL_PROCESS_H
#define RPCTL_PROCESS_H

#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RPCTL_PROCESS_STATUS_BYTES 64
#define RPCTL_PROCESS_TREE_MAX     1024

struct rpctl_process {
    pid_t pid;
    int pidfd;           /* close-on-exec; -1 = none */
    uint64_t start_time; /* clock ticks since boot: pid and start time together name a process for good */
};

/* How a child ended. */
struct rpctl_process_end {
    pid_t pid;
    int status;   /* as of waitpid(2) */
    uid_t user;   /* the effective one at its end */
    bool unknown; /* it was no child of ours: there is no status */
};

/* A socket among the descriptors of a process. */
struct rpctl_process_socket {
    int fd; /* its number there */
    uint64_t inode;
};

/* Opens the process that has this pid now. The caller must know that it is the one it means: its own child
 * that is not reaped, or compare start_time. -ESRCH when there is none. */
int rpctl_process_open(struct rpctl_process *ret_process, pid_t pid, struct rp_error *error);

/* Closes the pidfd; idempotent. The process goes on. */
void rpctl_process_close(struct rpctl_process *process);

/* It has ended; it may still be a zombie. */
bool rpctl_process_is_dead(const struct rpctl_process *process);

/* Signal 0 only asks whether it lives. -ESRCH when it has been reaped; a zombie takes signals without effect.
 */
int rpctl_process_signal(const struct rpctl_process *process, int signal_number);

/* A duplicate of descriptor `fd` of that process, close-on-exec, the caller's. -EBADF: it has no such
 * descriptor; -EPERM with the remedy when ptrace rights are missing (Yama, seccomp); -ESRCH: it is dead. */
int rpctl_process_take_fd(const struct rpctl_process *process, int fd, int *ret_fd, struct rp_error *error);

/* Start time in clock ticks since boot. -ESRCH when there is no such process. */
int rpctl_process_start_time(pid_t pid, uint64_t *ret_start_time);

/* Now, as start times are told: clock ticks since boot. */
uint64_t rpctl_process_clock(void);

/* Orphans among our descendants become our children from now on, not init's. */
int rpctl_process_become_subreaper(struct rp_error *error);

/* SIGPIPE is ignored from now on, unless somebody handles it already: libuv writes without MSG_NOSIGNAL, and
 * a peer that hangs up must not kill us. rpctl_spawn gives children the default again. */
void rpctl_process_ignore_sigpipe(void);

/* Its effective user; also of one that is dead and not reaped. -ESRCH. */
int rpctl_process_user(pid_t pid, uid_t *ret_user);

/* Collects the next dead child, without waiting. -EAGAIN: none is dead; -ECHILD: there are no children. After
 * this its pid may be used again. */
int rpctl_process_reap(struct rpctl_process_end *ret_end);

/* A wait status in words: "exit status 1", "signal 11 (SIGSEGV), core dumped". */
void rpctl_process_describe_status(int status, char text[RPCTL_PROCESS_STATUS_BYTES]);

/* The sockets (of every kind; compare the inodes with sock_diag's) that a process has open. The array is the
 * caller's, freed with free(). -ESRCH, -EACCES (another user's, or made undumpable). */
int rpctl_process_sockets(pid_t pid, struct rpctl_process_socket **ret_sockets, size_t *ret_count,
                          struct rp_error *error);

/* `pid`, its descendants, and all that are in the session that `pid` leads (so a grandchild whose parent has
 * died is found too, until it makes a session of its own). Those that have already died but are not reaped
 * are left out, `pid` itself stands first unless it is dead. At most `max`; more is -E2BIG. A snapshot: who
 * forks meanwhile may be missed. */
int rpctl_process_tree(pid_t pid, pid_t *pids, size_t max, size_t *ret_count, struct rp_error *error);

/* The same for several at once, with one look at /proc. Who belongs to two of them goes with the first. At
 * most `max` in all. */
struct rpctl_process_member {
    pid_t pid;
    size_t root; /* index */
};
int rpctl_process_trees(const pid_t *roots, size_t root_count, struct rpctl_process_member *members,
                        size_t max, size_t *ret_count, struct rp_error *error);
/* All live processes of this user; the first `max`, for nobody has so many. */
int rpctl_process_all(pid_t *pids, size_t max, size_t *ret_count, struct rp_error *error);

#endif
