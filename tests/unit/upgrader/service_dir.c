#include "linux/service_dir.h"
#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER 12345

static char root[64];
static struct rpctl_service_dir *dir;
static struct rp_error error;

static void setup(void)
{
    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    unsetenv("XDG_RUNTIME_DIR");
}

static void teardown(void)
{
    char command[128];
    rpctl_service_dir_close(dir);
    dir = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(service_dir, .init = setup, .fini = teardown);

static const char *in_root(const char *rest)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, rest);
    return path;
}

static int open_it(const char *parent, enum rpctl_service_dir_mode mode)
{
    error = (struct rp_error){0};
    return rpctl_service_dir_open(&dir, parent, "web", mode, &error);
}

static void expect_refused(int code, const char *part)
{
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), code, "%d %s", error.code, error.message);
    cr_assert(strstr(error.message, part), "%s", error.message);
    cr_assert_null(dir);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    cr_assert_eq(lstat(path, &status), 0, "%s", path);
    return status.st_mode & 07777;
}

Test(service_dir, makes_what_is_missing)
{
    char parent[PATH_MAX];
    umask(0);
    snprintf(parent, sizeof parent, "%s", in_root("a/b/c"));
    cr_assert_eq(open_it(parent, RPCTL_SERVICE_DIR_CREATE), 0, "%s", error.message);
    cr_assert_str_eq(rpctl_service_dir_path(dir), in_root("a/b/c/web"));
    cr_assert_eq(mode_of(in_root("a")), 0700);
    cr_assert_eq(mode_of(in_root("a/b/c/web")), 0700);
    cr_assert_eq(mode_of(in_root("a/b/c/web/log")), 0700);
    cr_assert(fcntl(rpctl_service_dir_fd(dir), F_GETFD) & FD_CLOEXEC);
    cr_assert(fcntl(rpctl_service_dir_log_fd(dir), F_GETFD) & FD_CLOEXEC);
    rpctl_service_dir_close(dir);
    cr_assert_eq(open_it(parent, RPCTL_SERVICE_DIR_CREATE), 0, "a second time: %s", error.message);
    rpctl_service_dir_close(dir);
    cr_assert_eq(open_it(parent, RPCTL_SERVICE_DIR_EXISTING), 0);
}

Test(service_dir, existing_makes_nothing)
{
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_EXISTING), -ENOENT);
    cr_assert_eq(access(in_root("web"), F_OK), -1);
    cr_assert_eq(open_it(in_root("none"), RPCTL_SERVICE_DIR_EXISTING), -ENOENT);
    cr_assert_eq(mkdir(in_root("web"), 0700), 0);
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_EXISTING), 0);
    cr_assert_eq(rpctl_service_dir_log_fd(dir), -1);
}

Test(service_dir, a_log_that_was_removed_is_made_again)
{
    int former;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    former = rpctl_service_dir_log_fd(dir);
    cr_assert_eq(rpctl_service_dir_remake_log(dir, &error), 0);
    cr_assert_eq(rpctl_service_dir_log_fd(dir), former, "it is there");
    cr_assert_eq(rmdir(in_root("web/log")), 0);
    cr_assert_eq(rpctl_service_dir_remake_log(dir, &error), 0, "%s", error.message);
    cr_assert_eq(mode_of(in_root("web/log")), 0700);
    cr_assert_eq(faccessat(rpctl_service_dir_log_fd(dir), ".", W_OK, 0), 0);
    cr_assert_eq(mkdirat(rpctl_service_dir_log_fd(dir), "x", 0700), 0, "the descriptor is of the new one");
    cr_assert_eq(rmdir(in_root("web/log/x")), 0);
}

Test(service_dir, no_log_can_be_made)
{
    int former;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    former = rpctl_service_dir_log_fd(dir);
    cr_assert_eq(rmdir(in_root("web/log")), 0);
    close(open(in_root("web/log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    cr_assert_eq(rpctl_service_dir_remake_log(dir, &error), -ENOTDIR);
    cr_assert_not_null(strstr(error.message, "web/log"), "%s", error.message);
    cr_assert_eq(rpctl_service_dir_log_fd(dir), former, "as before");
    rpctl_service_dir_close(dir);
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_EXISTING), 0, "who only looks can do without");
    cr_assert_eq(rpctl_service_dir_log_fd(dir), -1);
}

Test(service_dir, relative_and_default)
{
    char wanted[PATH_MAX];
    char *path;
    cr_assert_eq(chdir(root), 0);
    cr_assert_eq(open_it("x", RPCTL_SERVICE_DIR_CREATE), 0, "%s", error.message);
    cr_assert_str_eq(rpctl_service_dir_path(dir), in_root("x/web"));
    cr_assert_eq(rpctl_service_dir_resolve(&path, "y/", "web", &error), 0);
    cr_assert_str_eq(path, in_root("y/web"));
    free(path);
    cr_assert_eq(rpctl_service_dir_resolve(&path, NULL, "web", &error), 0);
    if (geteuid() == 0) cr_assert_str_eq(path, "/var/lib/rpctl/web");
    free(path);
    if (geteuid() != 0 || seteuid(OTHER_USER) < 0) cr_skip_test("needs root");
    setenv("XDG_STATE_HOME", "/state", 1);
    cr_assert_eq(rpctl_service_dir_resolve(&path, NULL, "web", &error), 0);
    cr_assert_str_eq(path, "/state/rpctl/web");
    free(path);
    setenv("XDG_STATE_HOME", "relative-is-ignored", 1);
    setenv("HOME", "/home/x", 1);
    cr_assert_eq(rpctl_service_dir_resolve(&path, NULL, "web", &error), 0);
    cr_assert_str_eq(path, "/home/x/.local/state/rpctl/web");
    free(path);
    unsetenv("HOME");
    cr_assert_eq(rpctl_service_dir_resolve(&path, NULL, "web", &error), -ENOENT);
    cr_assert(strstr(error.message, "--dir"));
    snprintf(wanted, sizeof wanted, "%s", in_root("gone"));
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(mkdir(wanted, 0700), 0);
    cr_assert_eq(chdir(wanted), 0);
    cr_assert_eq(rmdir(wanted), 0);
    cr_assert_eq(rpctl_service_dir_resolve(&path, "y", "web", &error), -ENOENT);
}

Test(service_dir, writable_by_others)
{
    cr_assert_eq(chmod(root, 0777), 0);
    expect_refused(-EPERM, "written to by others (mode 0777)");
    cr_assert_eq(chmod(root, 01777), 0);
    expect_refused(-EPERM, "written to by others");
    cr_assert_eq(chmod(root, 0755), 0);
    cr_assert_eq(mkdir(in_root("web"), 0700), 0);
    cr_assert_eq(chmod(in_root("web"), 0770), 0);
    expect_refused(-EPERM, "/web may be written to by others (mode 0770)");
    cr_assert_eq(chmod(in_root("web"), 0755), 0);
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
}

Test(service_dir, of_another_user)
{
    if (geteuid() != 0) cr_skip_test("needs root");
    cr_assert_eq(mkdir(in_root("web"), 0700), 0);
    cr_assert_eq(chown(in_root("web"), OTHER_USER, OTHER_USER), 0);
    expect_refused(-EPERM, "belongs to user 12345 and not to you (0)");
    cr_assert_eq(chown(root, OTHER_USER, OTHER_USER), 0);
    expect_refused(-EPERM, "belongs to user 12345");
    /* root's DIR with a service of the user's own in it is fine */
    cr_assert_eq(chown(root, 0, 0), 0);
    cr_assert_eq(chmod(root, 0755), 0);
    cr_assert_eq(mkdir(in_root("web/log"), 0700), 0);
    cr_assert_eq(chown(in_root("web/log"), OTHER_USER, OTHER_USER), 0);
    cr_assert_eq(seteuid(OTHER_USER), 0);
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0, "%s", error.message);
    rpctl_service_dir_close(dir);
    dir = NULL;
    cr_assert_eq(rpctl_service_dir_open(&dir, root, "other", RPCTL_SERVICE_DIR_CREATE, &error), -EACCES);
    cr_assert(strstr(error.message, "cannot make the directory"), "%s", error.message);
    cr_assert_eq(seteuid(0), 0);
}

Test(service_dir, no_symlink_no_file)
{
    cr_assert_eq(mkdir(in_root("real"), 0700), 0);
    cr_assert_eq(symlink("real", in_root("web")), 0);
    expect_refused(-ELOOP, "symlink");
    cr_assert_eq(unlink(in_root("web")), 0);
    close(open(in_root("web"), O_CREAT | O_WRONLY, 0600));
    expect_refused(-ENOTDIR, "not a directory");
    cr_assert_eq(open_it(in_root("web"), RPCTL_SERVICE_DIR_CREATE), -ENOTDIR);
    cr_assert_eq(open_it(in_root("web/x"), RPCTL_SERVICE_DIR_CREATE), -ENOTDIR);
    cr_assert_eq(unlink(in_root("web")), 0);
    cr_assert_eq(symlink("real", in_root("link")), 0); /* DIR itself may be one */
    cr_assert_eq(open_it(in_root("link"), RPCTL_SERVICE_DIR_CREATE), 0, "%s", error.message);
}

/* The lock of another process is seen, named, and gone with it. */
Test(service_dir, lock)
{
    int to_child[2], to_parent[2];
    char byte;
    pid_t holder = -1;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    cr_assert_eq(pipe(to_child), 0);
    cr_assert_eq(pipe(to_parent), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rpctl_service_dir *own;
        if (rpctl_service_dir_open(&own, root, "web", RPCTL_SERVICE_DIR_EXISTING, NULL) < 0 ||
            rpctl_service_dir_lock(own, NULL, NULL) < 0)
            _exit(1);
        if (write(to_parent[1], "x", 1) != 1 || read(to_child[0], &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    cr_assert_eq(read(to_parent[0], &byte, 1), 1);
    cr_assert_eq(rpctl_service_dir_lock(dir, &holder, &error), -EBUSY);
    cr_assert_eq(holder, child);
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %d)", child);
    cr_assert(strstr(error.message, pid), "%s", error.message);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, NULL), -EBUSY);
    cr_assert_eq(write(to_child[1], "x", 1), 1);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(rpctl_service_dir_lock(dir, &holder, &error), 0, "%s", error.message);
    cr_assert_eq(mode_of(in_root("web/lock")), 0600);
    char text[32] = "";
    int fd = open(in_root("web/lock"), O_RDONLY);
    cr_assert_gt(read(fd, text, sizeof text - 1), 0);
    close(fd);
    cr_assert_eq(atoi(text), getpid());
}

#define LONGER_MS 100

/* The holder has died between fork and exec: its child has the lock for a moment more, and that is waited
 * for. */
Test(service_dir, lock_of_a_dead_process_that_its_child_still_has)
{
    int held[2], ended[2];
    char byte;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    cr_assert_eq(pipe(held), 0);
    cr_assert_eq(pipe(ended), 0);
    pid_t holder = fork();
    if (holder == 0) {
        struct rpctl_service_dir *own;
        if (rpctl_service_dir_open(&own, root, "web", RPCTL_SERVICE_DIR_EXISTING, NULL) < 0 ||
            rpctl_service_dir_lock(own, NULL, NULL) < 0)
            _exit(1);
        if (fork() > 0) pause();
        if (write(held[1], "x", 1) != 1) _exit(1);
        close(ended[1]);
        (void)!read(ended[0], &byte, 1);
        (void)poll(NULL, 0, LONGER_MS);
        _exit(0);
    }
    close(ended[1]);
    cr_assert_eq(read(held[0], &byte, 1), 1);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, NULL), -EBUSY, "the holder lives");
    cr_assert_eq(kill(holder, SIGKILL), 0);
    cr_assert_eq(waitpid(holder, NULL, 0), holder);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, &error), 0, "%s", error.message);
}

/* Of two that come at the same moment the second one may find the lock before the first has said who it is.
 */
Test(service_dir, lock_of_one_that_has_just_come)
{
    int held[2];
    char byte;
    pid_t holder = -1;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    cr_assert_eq(pipe(held), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(in_root("web/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (flock(fd, LOCK_EX) < 0 || write(held[1], "x", 1) != 1) _exit(1);
        (void)poll(NULL, 0, LONGER_MS);
        if (dprintf(fd, "%d\n", getpid()) < 0) _exit(1);
        pause();
    }
    cr_assert_eq(read(held[0], &byte, 1), 1);
    cr_assert_eq(rpctl_service_dir_lock(dir, &holder, &error), -EBUSY);
    cr_assert_eq(holder, child);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(service_dir, lock_of_one_that_does_not_say_who_it_is)
{
    pid_t holder = -1;
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    int fd = open(in_root("web/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    cr_assert_eq(rpctl_service_dir_lock(dir, &holder, &error), -EBUSY);
    cr_assert_eq(holder, 0);
    cr_assert(strstr(error.message, "already; upgrade it"), "%s", error.message);
    close(fd);
}

Test(service_dir, lock_that_cannot_be)
{
    cr_assert_eq(open_it(root, RPCTL_SERVICE_DIR_CREATE), 0);
    cr_assert_eq(mkdir(in_root("web/lock"), 0700), 0);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, &error), -EISDIR);
    cr_assert(strstr(error.message, "/web/lock"), "%s", error.message);
    cr_assert_eq(rmdir(in_root("web/lock")), 0);
    cr_assert_eq(symlink("/etc/passwd", in_root("web/lock")), 0);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, &error), -ELOOP);
}

/* ---- paths for others ---- */

static char *long_parent(void)
{
    static char path[PATH_MAX];
    int used = snprintf(path, sizeof path, "%s", root);
    for (int i = 0; i < 20; i++)
        used += snprintf(path + used, sizeof path - (size_t)used, "/a-rather-long-folder-name-%02d", i);
    return path;
}

static void open_locked(const char *parent)
{
    cr_assert_eq(open_it(parent, RPCTL_SERVICE_DIR_CREATE), 0, "%s", error.message);
    cr_assert_eq(rpctl_service_dir_lock(dir, NULL, &error), 0);
}

Test(service_dir, short_paths_are_plain)
{
    char path[RPCTL_SOCKET_PATH_BYTES];
    open_locked(root);
    cr_assert_eq(rpctl_service_dir_notify_path(dir, path, &error), 0);
    cr_assert_str_eq(path, in_root("web/notify"));
    cr_assert_eq(rpctl_service_dir_control_path(dir, path, &error), 0);
    cr_assert_str_eq(path, in_root("web/control"));
}

Test(service_dir, long_paths_get_an_alias)
{
    char notify[RPCTL_SOCKET_PATH_BYTES], control[RPCTL_SOCKET_PATH_BYTES], again[RPCTL_SOCKET_PATH_BYTES];
    char alias[RPCTL_SOCKET_PATH_BYTES], target[PATH_MAX] = "";
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, notify, &error), 0, "%s", error.message);
    cr_assert_eq(rpctl_service_dir_control_path(dir, control, &error), 0);
    cr_assert_eq(strncmp(notify, "/tmp/rpctl-", 11), 0);
    cr_assert(strstr(notify, "/notify") && strstr(control, "/control"));
    cr_assert_eq(strncmp(notify, control, strlen(notify) - strlen("/notify")), 0);
    snprintf(alias, sizeof alias, "%.*s", (int)(strlen(notify) - strlen("/notify")), notify);
    cr_assert_gt(readlink(alias, target, sizeof target - 1), 0);
    cr_assert_str_eq(target, rpctl_service_dir_path(dir));
    /* one that a dead supervisor left is taken over */
    cr_assert_eq(unlink(alias), 0);
    cr_assert_eq(symlink(rpctl_service_dir_path(dir), alias), 0);
    rpctl_service_dir_close(dir);
    cr_assert_eq(access(alias, F_OK), -1, "the alias must go at the end");
    cr_assert_eq(symlink(target, alias), 0);
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, again, &error), 0);
    cr_assert_str_eq(again, notify);
    /* but not another one: wrong target, wrong owner, no symlink */
    rpctl_service_dir_close(dir);
    open_locked(long_parent());
    cr_assert_eq(symlink("/etc", alias), 0);
    cr_assert_eq(rpctl_service_dir_notify_path(dir, again, &error), -EEXIST);
    cr_assert(strstr(error.message, "XDG_RUNTIME_DIR"), "%s", error.message);
    cr_assert_eq(unlink(alias), 0);
    if (geteuid() == 0) {
        cr_assert_eq(symlink(target, alias), 0);
        cr_assert_eq(lchown(alias, OTHER_USER, OTHER_USER), 0);
        cr_assert_eq(rpctl_service_dir_notify_path(dir, again, &error), -EEXIST);
        cr_assert_eq(unlink(alias), 0);
    }
    cr_assert_eq(mkdir(alias, 0700), 0);
    cr_assert_eq(rpctl_service_dir_notify_path(dir, again, &error), -EEXIST);
    cr_assert_eq(rmdir(alias), 0);
}

Test(service_dir, alias_prefers_the_runtime_dir)
{
    char path[RPCTL_SOCKET_PATH_BYTES];
    cr_assert_eq(mkdir(in_root("run"), 0700), 0);
    setenv("XDG_RUNTIME_DIR", in_root("run"), 1);
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, path, &error), 0, "%s", error.message);
    cr_assert_eq(strncmp(path, in_root("run/rpctl-"), strlen(in_root("run/rpctl-"))), 0, "%s", path);
    rpctl_service_dir_close(dir);
    setenv("XDG_RUNTIME_DIR", in_root("not-there"), 1);
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, path, &error), 0);
    cr_assert_eq(strncmp(path, "/tmp/rpctl-", 11), 0, "%s", path);
    rpctl_service_dir_close(dir);
    setenv("XDG_RUNTIME_DIR", long_parent(), 1); /* itself too long */
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, path, &error), 0);
    cr_assert_eq(strncmp(path, "/tmp/rpctl-", 11), 0, "%s", path);
}

Test(service_dir, nothing_is_left_open)
{
    char path[RPCTL_SOCKET_PATH_BYTES];
    int before = count_open_fds();
    open_locked(long_parent());
    cr_assert_eq(rpctl_service_dir_notify_path(dir, path, &error), 0);
    rpctl_service_dir_close(dir);
    dir = NULL;
    cr_assert_eq(chmod(root, 0777), 0);
    expect_refused(-EPERM, "others");
    cr_assert_eq(count_open_fds(), before);
    expect_no_leak();
}
