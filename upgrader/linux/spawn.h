/* Starts one process of a release: session of its own, log as output, listeners by the LISTEN_FDS protocol.
 *
 * By hand, for libuv's uv_spawn cannot set LISTEN_PID. Owns nothing; the process is the caller's to reap. */
#ifndef RPCTL_SPAWN_H
#define RPCTL_SPAWN_H

#include "linux/process.h"
#include <rp/error.h>
#include <rp/listener.h>
#include <stddef.h>
#include <sys/types.h>

#define RPCTL_SPAWN_LISTEN_FDS_MAX RP_LISTENERS_MAX

struct rpctl_spawn_request {
    const char *binary; /* a path, not searched for in PATH */
    char *const *argv;  /* NULL-terminated, with argv[0] */
    char *const *envp;  /* NULL-terminated; LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES in it are left out */
    int cwd_fd;         /* working directory, -1 = as ours */
    mode_t umask;
    int log_fd;            /* becomes stdout and stderr */
    const int *listen_fds; /* become 3, 4, … in this order */
    size_t listen_fd_count;
};

/* Returns when the program runs (execve has succeeded) or cannot; in the latter case nothing is left. All
 * descriptors of the request stay the caller's. The child: stdin is /dev/null, signals are at their default
 * and unblocked, it leads a session, no other descriptor of ours is open in it.
 *
 * Not to be called while another thread reaps (the pid could be gone before its pidfd is opened), nor with
 * SIGCHLD ignored. Errors are one line with binary, reason and remedy: -ENOENT (also: its interpreter is
 * missing, which is named), -ENOEXEC, -EACCES, -E2BIG, -ENOMEM, -EAGAIN, -EMFILE, -ETXTBSY, … */
int rpctl_spawn(const struct rpctl_spawn_request *request, struct rpctl_process *ret_process,
                struct rp_error *error);

#endif
