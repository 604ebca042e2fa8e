/* Runs another program in the place of this one, in the same process: the pid, the locks, the children and
 * the descriptors that are named stay.
 *
 * Owns nothing. To be called on the only thread that matters: execve(2) ends all others. */
#ifndef RPCTL_REEXEC_H
#define RPCTL_REEXEC_H

#include <rp/error.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set for the program that is to go on: the number of a descriptor with the handoff. */
#define RPCTL_RESUME_VARIABLE "RPCTL_RESUME"
/* … that is only asked whether it could: it prints RPCTL_RESUME_ANSWER, a blank and its version, and ends
 * with 0. */
#define RPCTL_RESUME_CHECK_VARIABLE "RPCTL_RESUME_CHECK"
#define RPCTL_RESUME_ANSWER         "rpctl-can-resume"

/* What tells a file from one that was put in its place. */
struct rpctl_file_identity {
    uint64_t device, inode, bytes;
    int64_t changed_ns;
};

int rpctl_file_identify(const char *path, struct rpctl_file_identity *ret_identity, struct rp_error *error);
bool rpctl_file_is_same(const struct rpctl_file_identity *a, const struct rpctl_file_identity *b);

/* Path of the program that runs, as of its start; the caller frees. NULL without memory or /proc. */
char *rpctl_program_path(void);

/* Sets or removes close-on-exec. -EBADF names the descriptor. */
int rpctl_fds_keep_over_exec(const int *fds, size_t count, bool keep, struct rp_error *error);

/* No signal acts on this thread until `rpctl_signals_restore`: they wait, also over an exec. */
void rpctl_signals_block(sigset_t *ret_before);
void rpctl_signals_restore(const sigset_t *before);
/* … until this, in the program that goes on. */
void rpctl_signals_unblock(void);

/* Runs `program` with the arguments of this process and the environment of now, and RPCTL_RESUME set to
 * `handoff_fd`. The descriptors (handoff_fd is one of them) are open there, and close-on-exec no more.
 * Returns only when it has failed: then all is as before. */
int rpctl_reexec(const char *program, int handoff_fd, const int *fds, size_t count, struct rp_error *error);

/* The number in the variable, which is removed. -1: it is not set; -EINVAL: it is no open descriptor. */
int rpctl_resume_take(const char *variable);

#endif
