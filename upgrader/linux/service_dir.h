/* The directory of one service, DIR/NAME: its sockets `control`, `notify` and `instances`, its `lock`, its
 * logs in `log/`.
 *
 * Owns a descriptor of the directory and of log/, the lock while it is held, and a short alias of the path
 * where one was needed. Everything inside is reached through the descriptor, so that a directory that is
 * exchanged after it was checked is not followed. Not thread-safe. */
#ifndef RPCTL_SERVICE_DIR_H
#define RPCTL_SERVICE_DIR_H

#include <rp/error.h>
#include <sys/types.h>
#include <sys/un.h>

#define RPCTL_SERVICE_DIR_CONTROL   "control"
#define RPCTL_SERVICE_DIR_NOTIFY    "notify"
#define RPCTL_SERVICE_DIR_INSTANCES "instances"
#define RPCTL_SERVICE_DIR_LOCK      "lock"
#define RPCTL_SERVICE_DIR_LOG       "log"

/* What fits into sockaddr_un, with the terminator. */
#define RPCTL_SOCKET_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

struct rpctl_service_dir;

enum rpctl_service_dir_mode {
    RPCTL_SERVICE_DIR_EXISTING, /* -ENOENT when there is none */
    RPCTL_SERVICE_DIR_CREATE,   /* makes DIR (with its parents), DIR/NAME and DIR/NAME/log, all 0700 */
};

/* Opens DIR/NAME. `dir` NULL is the user's default: /var/lib/rpctl for root, else
 * ${XDG_STATE_HOME:-$HOME/.local/state}/rpctl. A relative one is taken from the working directory. `name`
 * must have passed rpctl_service_name_check.
 *
 * DIR must belong to the caller or to root, DIR/NAME to the caller, and nobody else may write to them;
 * DIR/NAME may not be a symlink. -EPERM, -ENOTDIR, -ENOENT, -ENAMETOOLONG, … with a message that names
 * directory, reason and remedy. */
int rpctl_service_dir_open(struct rpctl_service_dir **ret_dir, const char *dir, const char *name,
                           enum rpctl_service_dir_mode mode, struct rp_error *error);

/* The absolute path that rpctl_service_dir_open would open, whether it exists or not. The caller frees. */
int rpctl_service_dir_resolve(char **ret_path, const char *dir, const char *name, struct rp_error *error);

/* In a program that goes on in the place of another: what that one had open and locked, by its numbers, taken
 * over. -ENOMEM. */
int rpctl_service_dir_inherit(struct rpctl_service_dir **ret_dir, const char *path, int fd, int log_fd,
                              int lock_fd, struct rp_error *error);

/* Removes the alias if this object holds the lock; unlocks; frees. NULL is fine. */
void rpctl_service_dir_close(struct rpctl_service_dir *dir);

/* Valid as long as the object; the path is absolute. The descriptors (of DIR/NAME and of DIR/NAME/log) are
 * for *at() calls and stay the object's; that of the log is -1 when there is none
 * (RPCTL_SERVICE_DIR_EXISTING). */
const char *rpctl_service_dir_path(const struct rpctl_service_dir *dir);
int rpctl_service_dir_fd(const struct rpctl_service_dir *dir);
int rpctl_service_dir_log_fd(const struct rpctl_service_dir *dir);
int rpctl_service_dir_lock_fd(const struct rpctl_service_dir *dir); /* -1 while not locked */

/* Makes log/ again, and opens that, when it was removed under us. 0 also when it is there. */
int rpctl_service_dir_remake_log(struct rpctl_service_dir *dir, struct rp_error *error);

/* Takes the lock that makes this process the supervisor, and writes its pid into it. -EBUSY when another
 * process has it: then *ret_holder is its pid, or 0 when it has not written it yet, and the message names it.
 * The lock of a holder that is dead is waited for, some seconds at most: a child that it was starting has it
 * still. The lock goes with the process; children that exec do not inherit it. `ret_holder` may be NULL. */
int rpctl_service_dir_lock(struct rpctl_service_dir *dir, pid_t *ret_holder, struct rp_error *error);

/* A path of the socket for others, who have the path alone (NOTIFY_SOCKET, RP_SOCKET): DIR/NAME/notify, or,
 * where that is too long for a socket's address, the same through a symlink "rpctl-<uid>-<hash>" in
 * $XDG_RUNTIME_DIR or /tmp, which is made now and removed by rpctl_service_dir_close. The lock must be held.
 * -EEXIST when something else is at the alias's place, -ENAMETOOLONG. */
int rpctl_service_dir_notify_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                  struct rp_error *error);
int rpctl_service_dir_instances_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                     struct rp_error *error);
int rpctl_service_dir_control_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                   struct rp_error *error);

#endif
