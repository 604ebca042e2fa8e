#include "linux/service_dir.h"
#include "linux/directory.h"
#include "linux/process.h"
#include "pure/quote.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_OF_ROOT    "/var/lib/rpctl"
#define DEFAULT_OF_OTHERS  "/rpctl"
#define DEFAULT_STATE_HOME "/.local/state"
#define ALIAS_FALLBACK     "/tmp"
#define LOCK_WAIT_MS       5000 /* for what a dead holder has started */
#define LOCK_LOOK_MS       2

struct rpctl_service_dir {
    char *path;
    char *alias; /* symlink made or found by this object, or NULL */
    int fd;
    int log_fd;  /* of log/; -1 when there is none */
    int lock_fd; /* -1 while not locked */
};

/* ---- where ---- */

static int join(char **ret_path, const char *front, const char *middle, const char *back)
{
    char *path;
    if (asprintf(&path, "%s%s%s", front, middle, back) < 0) return -ENOMEM;
    *ret_path = path;
    return 0;
}

static int default_dir(char **ret_dir, struct rp_error *error)
{
    if (geteuid() == 0) return join(ret_dir, DEFAULT_OF_ROOT, "", "");
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state_home && state_home[0] == '/') return join(ret_dir, state_home, DEFAULT_OF_OTHERS, "");
    if (home && home[0] == '/') return join(ret_dir, home, DEFAULT_STATE_HOME, DEFAULT_OF_OTHERS);
    rp_error_set(error, -ENOENT,
                 "HOME is not set, so there is no default place for services; give --dir DIR");
    return -ENOENT;
}

static int absolute_dir(char **ret_dir, const char *dir, struct rp_error *error)
{
    if (dir[0] == '/') return join(ret_dir, dir, "", "");
    char *cwd = getcwd(NULL, 0);
    if (!cwd) {
        int code = -errno;
        rp_error_set(error, code, "the working directory has no path (%s); give --dir an absolute path",
                     strerror(-code));
        return code;
    }
    int result = join(ret_dir, cwd, "/", dir);
    free(cwd);
    return result;
}

static int resolve_dir(char **ret_dir, const char *dir, struct rp_error *error)
{
    int result = dir ? absolute_dir(ret_dir, dir, error) : default_dir(ret_dir, error);
    if (result == -ENOMEM) rp_error_set(error, result, "out of memory");
    return result;
}

static int join_name(char **ret_path, const char *parent, const char *name, struct rp_error *error)
{
    bool has_slash = parent[strlen(parent) - 1] == '/';
    if (join(ret_path, parent, has_slash ? "" : "/", name) < 0)
        return rp_error_set(error, -ENOMEM, "out of memory");
    return 0;
}

int rpctl_service_dir_resolve(char **ret_path, const char *dir, const char *name, struct rp_error *error)
{
    char *parent = NULL;
    int result = resolve_dir(&parent, dir, error);
    if (!parent) return result;
    result = join_name(ret_path, parent, name, error);
    free(parent);
    return result;
}

/* ---- opening and checking ---- */

static int check_rights(int fd, const char *path, bool root_may_own, struct rp_error *error)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return rp_error_set(error, -errno, "%s: %s", rpctl_quote_path(path).text, strerror(errno));
    if (status.st_uid != geteuid() && !(root_may_own && status.st_uid == 0))
        return rp_error_set(
            error, -EPERM,
            "%s belongs to user %u and not to you (%u); run rpctl as that user, or take another --dir",
            rpctl_quote_path(path).text, status.st_uid, geteuid());
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return rp_error_set(
            error, -EPERM, "%s may be written to by others (mode %04o); chmod go-w it, or take another --dir",
            rpctl_quote_path(path).text, status.st_mode & 07777u);
    return 0;
}

static int open_reason(const char *path, int code, struct rp_error *error)
{
    const char *reason = strerror(-code);
    if (code == -ELOOP) reason = "it is a symlink, and a service's directory must not be one";
    if (code == -ENOTDIR) reason = "it, or a part of the path, is not a directory";
    return rp_error_set(error, code, "cannot open %s: %s", rpctl_quote_path(path).text, reason);
}

/* Opens DIR, checks it, and opens NAME in it. */
static int open_name(struct rpctl_service_dir *dir, const char *parent, const char *name,
                     enum rpctl_service_dir_mode mode, struct rp_error *error)
{
    int parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0) return open_reason(parent, -errno, error);
    int result = check_rights(parent_fd, parent, true, error);
    if (result == 0 && mode == RPCTL_SERVICE_DIR_CREATE)
        result = rpctl_directory_make_at(parent_fd, name, dir->path, error);
    if (result == 0) {
        dir->fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir->fd < 0)
            result = open_reason(dir->path, rpctl_directory_open_errno(parent_fd, name, -errno), error);
    }
    close(parent_fd);
    return result == 0 ? check_rights(dir->fd, dir->path, false, error) : result;
}

/* Only what was made for it may be missing: a service that was never started has no log. Who only looks can
 * do without. */
static int open_log_dir(struct rpctl_service_dir *dir, enum rpctl_service_dir_mode mode,
                        struct rp_error *error)
{
    int result = 0;
    if (mode == RPCTL_SERVICE_DIR_CREATE)
        result = rpctl_directory_make_at(dir->fd, RPCTL_SERVICE_DIR_LOG, dir->path, error);
    if (result < 0) return result;
    dir->log_fd = openat(dir->fd, RPCTL_SERVICE_DIR_LOG, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool absent = errno == ENOENT || errno == ENOTDIR;
    if (dir->log_fd >= 0 || (absent && mode == RPCTL_SERVICE_DIR_EXISTING)) return 0;
    return rp_error_set(error, -errno, "cannot open %s/" RPCTL_SERVICE_DIR_LOG ": %s",
                        rpctl_quote_path(dir->path).text, strerror(errno));
}

int rpctl_service_dir_remake_log(struct rpctl_service_dir *dir, struct rp_error *error)
{
    struct stat status;
    int former = dir->log_fd;
    if (former >= 0 && fstat(former, &status) == 0 && status.st_nlink > 0) return 0;
    int result = open_log_dir(dir, RPCTL_SERVICE_DIR_CREATE, error);
    if (result < 0) dir->log_fd = former;
    if (result == 0 && former >= 0) close(former);
    return result;
}

static int open_in(struct rpctl_service_dir *dir, const char *parent, const char *name,
                   enum rpctl_service_dir_mode mode, struct rp_error *error)
{
    int result = join_name(&dir->path, parent, name, error);
    if (result == 0 && mode == RPCTL_SERVICE_DIR_CREATE) result = rpctl_directory_make_path(parent, error);
    if (result == 0) result = open_name(dir, parent, name, mode, error);
    return result == 0 ? open_log_dir(dir, mode, error) : result;
}

int rpctl_service_dir_open(struct rpctl_service_dir **ret_dir, const char *dir, const char *name,
                           enum rpctl_service_dir_mode mode, struct rp_error *error)
{
    char *parent = NULL;
    int result = resolve_dir(&parent, dir, error);
    if (!parent) return result;
    struct rpctl_service_dir *opened = calloc(1, sizeof *opened);
    if (opened) {
        opened->fd = opened->log_fd = opened->lock_fd = -1;
        result = open_in(opened, parent, name, mode, error);
    } else {
        result = rp_error_set(error, -ENOMEM, "out of memory");
    }
    free(parent);
    if (result < 0)
        rpctl_service_dir_close(opened);
    else
        *ret_dir = opened;
    return result;
}

int rpctl_service_dir_inherit(struct rpctl_service_dir **ret_dir, const char *path, int fd, int log_fd,
                              int lock_fd, struct rp_error *error)
{
    struct rpctl_service_dir *dir = calloc(1, sizeof *dir);
    if (dir) dir->path = strdup(path);
    if (!dir || !dir->path) {
        free(dir);
        return rp_error_set(error, -ENOMEM, "out of memory");
    }
    dir->fd = fd;
    dir->log_fd = log_fd;
    dir->lock_fd = lock_fd;
    *ret_dir = dir;
    return 0;
}

void rpctl_service_dir_close(struct rpctl_service_dir *dir)
{
    if (!dir) return;
    if (dir->alias) unlink(dir->alias);
    if (dir->lock_fd >= 0) close(dir->lock_fd);
    if (dir->log_fd >= 0) close(dir->log_fd);
    if (dir->fd >= 0) close(dir->fd);
    free(dir->alias);
    free(dir->path);
    free(dir);
}

const char *rpctl_service_dir_path(const struct rpctl_service_dir *dir)
{
    return dir->path;
}

int rpctl_service_dir_fd(const struct rpctl_service_dir *dir)
{
    return dir->fd;
}

int rpctl_service_dir_log_fd(const struct rpctl_service_dir *dir)
{
    return dir->log_fd;
}

int rpctl_service_dir_lock_fd(const struct rpctl_service_dir *dir)
{
    return dir->lock_fd;
}

/* ---- lock ---- */

static pid_t read_holder(int fd)
{
    char text[32] = "";
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    long pid = length > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 && pid < INT32_MAX ? (pid_t)pid : 0;
}

static int write_holder(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0) return -errno;
    return pwrite(fd, text, (size_t)length, 0) == length ? 0 : -EIO;
}

static int busy(const struct rpctl_service_dir *dir, int fd, pid_t *ret_holder, struct rp_error *error)
{
    pid_t holder = read_holder(fd);
    char who[32] = "";
    if (holder > 0) snprintf(who, sizeof who, " (pid %ld)", (long)holder);
    if (ret_holder) *ret_holder = holder;
    return rp_error_set(error, -EBUSY,
                        "%s: a supervisor is running already%s; upgrade it with rpctl upgrade, end it with "
                        "rpctl stop, or take another --name",
                        rpctl_quote_path(dir->path).text, who);
}

static bool is_alive(pid_t pid)
{
    struct rpctl_process process;
    if (pid <= 0 || rpctl_process_open(&process, pid, NULL) < 0) return false;
    bool dead = rpctl_process_is_dead(&process);
    rpctl_process_close(&process);
    return !dead;
}

/* A child that a supervisor was just starting when it was killed has the lock until it executes the release,
 * and cannot be told from other processes before. And whoever has just got the lock has not written down who
 * it is. There is no event for either, so it is looked for. */
static int take_lock(int fd)
{
    for (int waited_ms = 0;; waited_ms += LOCK_LOOK_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
        if (errno != EWOULDBLOCK) return -errno;
        if (waited_ms >= LOCK_WAIT_MS || is_alive(read_holder(fd))) return -EWOULDBLOCK;
        (void)poll(NULL, 0, LOCK_LOOK_MS);
    }
}

int rpctl_service_dir_lock(struct rpctl_service_dir *dir, pid_t *ret_holder, struct rp_error *error)
{
    assert(dir->lock_fd < 0);
    int fd = openat(dir->fd, RPCTL_SERVICE_DIR_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return rp_error_set(error, -errno, "cannot open %s/%s: %s", rpctl_quote_path(dir->path).text,
                            RPCTL_SERVICE_DIR_LOCK, strerror(errno));
    int result = take_lock(fd);
    if (result == 0) result = write_holder(fd);
    if (result == 0) {
        dir->lock_fd = fd;
        return 0;
    }
    if (result == -EWOULDBLOCK)
        result = busy(dir, fd, ret_holder, error);
    else
        result = rp_error_set(error, result, "cannot lock %s/%s: %s", rpctl_quote_path(dir->path).text,
                              RPCTL_SERVICE_DIR_LOCK, strerror(-result));
    close(fd);
    return result;
}

/* ---- short paths ---- */

/* FNV-1a: no secret is kept here, the alias is verified by reading it. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static bool is_our_alias(const char *alias, const char *target)
{
    struct stat status;
    if (lstat(alias, &status) < 0 || !S_ISLNK(status.st_mode) || status.st_uid != geteuid()) return false;
    size_t length = strlen(target);
    char *text = malloc(length + 2);
    if (!text) return false;
    ssize_t got = readlink(alias, text, length + 2); /* one more than wanted, to see a longer one */
    bool same = got >= 0 && (size_t)got == length && memcmp(text, target, length) == 0;
    free(text);
    return same;
}

static int make_alias(struct rpctl_service_dir *dir, const char *folder, size_t leaf_length)
{
    char *alias;
    if (asprintf(&alias, "%s/rpctl-%u-%016" PRIx64, folder, geteuid(), hash_of(dir->path)) < 0)
        return -ENOMEM;
    int result = 0;
    if (strlen(alias) + 1 + leaf_length >= RPCTL_SOCKET_PATH_BYTES)
        result = -ENAMETOOLONG;
    else if (symlink(dir->path, alias) < 0)
        result = errno == EEXIST && is_our_alias(alias, dir->path) ? 0 : -errno;
    if (result == 0)
        dir->alias = alias;
    else
        free(alias);
    return result;
}

static int find_alias(struct rpctl_service_dir *dir, size_t leaf_length, struct rp_error *error)
{
    if (dir->alias) return 0;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int result = runtime && runtime[0] == '/' ? make_alias(dir, runtime, leaf_length) : -ENOENT;
    if (result < 0) result = make_alias(dir, ALIAS_FALLBACK, leaf_length);
    if (result == 0) return 0;
    return rp_error_set(error, result,
                        "%s is too long for a socket, and no short alias can be made in " ALIAS_FALLBACK
                        " (%s); set XDG_RUNTIME_DIR or take a shorter --dir",
                        rpctl_quote_path(dir->path).text, strerror(-result));
}

static int socket_path(struct rpctl_service_dir *dir, const char *leaf, char path[RPCTL_SOCKET_PATH_BYTES],
                       struct rp_error *error)
{
    assert(dir->lock_fd >= 0);
    int length = snprintf(path, RPCTL_SOCKET_PATH_BYTES, "%s/%s", dir->path, leaf);
    if (length >= 0 && (size_t)length < RPCTL_SOCKET_PATH_BYTES) return 0;
    /* One alias serves all sockets, so it must have room for the longest name. */
    int result = find_alias(dir, strlen(RPCTL_SERVICE_DIR_INSTANCES), error);
    if (result == 0) snprintf(path, RPCTL_SOCKET_PATH_BYTES, "%s/%s", dir->alias, leaf);
    return result;
}

int rpctl_service_dir_notify_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                  struct rp_error *error)
{
    return socket_path(dir, RPCTL_SERVICE_DIR_NOTIFY, path, error);
}

int rpctl_service_dir_instances_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                     struct rp_error *error)
{
    return socket_path(dir, RPCTL_SERVICE_DIR_INSTANCES, path, error);
}

int rpctl_service_dir_control_path(struct rpctl_service_dir *dir, char path[RPCTL_SOCKET_PATH_BYTES],
                                   struct rp_error *error)
{
    return socket_path(dir, RPCTL_SERVICE_DIR_CONTROL, path, error);
}
