#include "linux/spawn.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const no_environment[] = {NULL};
static struct rp_error error;

static int new_log(void)
{
    return memfd_create("log", MFD_CLOEXEC);
}

static const char *log_text(int fd)
{
    static char text[65536];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    cr_assert_geq(length, 0);
    text[length] = '\0';
    return text;
}

/* Runs `sh -c script` as the request says and returns what it printed. */
static const char *run_script(struct rpctl_spawn_request request, const char *script)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)(size_t)script, NULL};
    struct rpctl_process process;
    int status;
    int log_fd = new_log();
    request.binary = "/bin/sh";
    request.argv = argv;
    request.log_fd = log_fd;
    if (!request.envp) request.envp = no_environment;
    error.message[0] = '\0';
    cr_assert_eq(rpctl_spawn(&request, &process, &error), 0, "%s", error.message);
    cr_assert_eq(waitpid(process.pid, &status, 0), process.pid);
    cr_assert(WIFEXITED(status), "status %d", status);
    const char *text = log_text(log_fd);
    close(log_fd);
    rpctl_process_close(&process);
    return text;
}

static const struct rpctl_spawn_request plain = {.cwd_fd = -1, .umask = 022};

static void expect_no_children(void)
{
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
    cr_assert_eq(errno, ECHILD);
}

Test(spawn, output_goes_to_the_log_and_input_is_empty)
{
    cr_assert_str_eq(run_script(plain, "cat; echo out; echo err >&2"), "out\nerr\n");
    cr_assert_str_eq(run_script(plain, "readlink /proc/$$/fd/0"), "/dev/null\n");
}

Test(spawn, no_descriptor_but_the_three_is_open)
{
    int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec, as a careless library would */
    cr_assert_geq(leaked, 3);
    /* 3 is the directory that ls reads. */
    cr_assert_str_eq(run_script(plain, "exec ls /proc/self/fd"), "0\n1\n2\n3\n");
}

Test(spawn, arguments_and_environment)
{
    char *argv[] = {(char *)"name", (char *)"a b", (char *)"", (char *)"ü", NULL};
    char *envp[] = {(char *)"A=1",          (char *)"LISTEN_PID=1",
                    (char *)"LISTEN_FDS=7", (char *)"LISTEN_FDNAMES=x",
                    (char *)"LISTEN=keep",  NULL};
    struct rpctl_process process;
    int log_fd = new_log();
    struct rpctl_spawn_request request = {
        .binary = "/usr/bin/env", .argv = argv, .envp = envp, .cwd_fd = -1, .log_fd = log_fd};
    argv[1] = NULL;
    cr_assert_eq(rpctl_spawn(&request, &process, &error), 0, "%s", error.message);
    waitpid(process.pid, NULL, 0);
    cr_assert_str_eq(log_text(log_fd), "A=1\nLISTEN=keep\n");
}

Test(spawn, leads_a_session_of_its_own)
{
    int pid, session, group;
    const char *text = run_script(plain, "cut -d' ' -f1,5,6 /proc/$$/stat");
    cr_assert_eq(sscanf(text, "%d %d %d", &pid, &group, &session), 3);
    cr_assert_eq(pid, session);
    cr_assert_eq(pid, group);
}

Test(spawn, directory_and_umask)
{
    struct rpctl_spawn_request request = plain;
    request.cwd_fd = open("/usr", O_PATH | O_CLOEXEC);
    request.umask = 027;
    mode_t before = umask(0);
    umask(before);
    cr_assert_str_eq(run_script(request, "/bin/pwd; umask"), "/usr\n0027\n");
    cr_assert_eq(umask(before), before, "our own umask has changed");
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

Test(spawn, signals_are_at_their_default)
{
    sigset_t all, now;
    sigfillset(&all);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, ignore);
    sigprocmask(SIG_BLOCK, &all, NULL);
    cr_assert_str_eq(run_script(plain, "exec grep -E 'Sig(Blk|Ign)' /proc/self/status"),
                     "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    sigprocmask(SIG_BLOCK, NULL, &now);
    cr_assert(sigismember(&now, SIGUSR1), "our own mask has changed");
}

/* n sockets, told apart by their inodes; at the numbers 3 and up in *reverse* order of the list. */
static void make_sockets(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_geq(fd, 0);
        fds[count - 1 - i] = fd;
    }
}

static unsigned long inode_of(int fd)
{
    struct stat st;
    fstat(fd, &st);
    return st.st_ino;
}

static void expect_listeners(size_t count)
{
    int fds[RPCTL_SPAWN_LISTEN_FDS_MAX];
    struct rpctl_spawn_request request = plain;
    make_sockets(fds, count);
    request.listen_fds = fds;
    request.listen_fd_count = count;
    const char *text = run_script(request, "echo $LISTEN_FDS $(($LISTEN_PID - $$)) $LISTEN_FDNAMES; i=3; "
                                           "while [ $i -lt $((3 + LISTEN_FDS)) ]; do "
                                           "readlink /proc/$$/fd/$i; i=$((i + 1)); done");
    char expected[65536];
    size_t used = (size_t)sprintf(expected, "%zu 0 ", count);
    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(expected + used, "%slistener", i > 0 ? ":" : "");
    used += (size_t)sprintf(expected + used, "\n");
    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(expected + used, "socket:[%lu]\n", inode_of(fds[i]));
    cr_assert_str_eq(text, expected);
    for (size_t i = 0; i < count; i++) {
        cr_assert(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, "our own descriptor has lost its close-on-exec");
        close(fds[i]);
    }
}

Test(spawn, listeners_in_their_order)
{
    expect_listeners(1);
    expect_listeners(2);
    expect_listeners(5);
}

Test(spawn, as_many_listeners_as_there_may_be)
{
    int fds[RPCTL_SPAWN_LISTEN_FDS_MAX];
    struct rpctl_spawn_request request = plain;
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    make_sockets(fds, RPCTL_SPAWN_LISTEN_FDS_MAX);
    request.listen_fds = fds;
    request.listen_fd_count = RPCTL_SPAWN_LISTEN_FDS_MAX;
    char expected[64];
    snprintf(expected, sizeof expected, "250 socket:[%lu]\n", inode_of(fds[RPCTL_SPAWN_LISTEN_FDS_MAX - 1]));
    cr_assert_str_eq(run_script(request, "echo $LISTEN_FDS $(readlink /proc/$$/fd/252)"), expected);
}

/* The parent's 0, 1 and 2 may be closed, so that the pipe and the null device get these numbers. */
Test(spawn, works_without_stdio)
{
    close(0);
    cr_assert_str_eq(run_script(plain, "cat; echo x"), "x\n");
}

Test(spawn, the_process_is_named_for_good)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"kill -STOP $$; exit 3", NULL};
    struct rpctl_process process;
    uint64_t start_time;
    int status;
    struct rpctl_spawn_request request = {
        .binary = "/bin/sh", .argv = argv, .envp = no_environment, .cwd_fd = -1, .log_fd = 2};
    cr_assert_eq(rpctl_spawn(&request, &process, &error), 0, "%s", error.message);
    cr_assert(fcntl(process.pidfd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(rpctl_process_start_time(process.pid, &start_time), 0);
    cr_assert_eq(start_time, process.start_time);
    waitpid(process.pid, &status, WUNTRACED);
    cr_assert_eq(rpctl_process_signal(&process, SIGCONT), 0);
    waitpid(process.pid, &status, 0);
    cr_assert_eq(WEXITSTATUS(status), 3);
    cr_assert_eq(rpctl_process_signal(&process, 0), -ESRCH);
    rpctl_process_close(&process);
    rpctl_process_close(&process);
}

/* --- what cannot be run --- */

static char directory[] = "/tmp/rpctl-spawn-XXXXXX";
static char path[256];

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
    chmod(directory, 0755);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(path);
    cr_assert_eq(rmdir(directory), 0);
}

TestSuite(spawn_errors, .init = make_directory, .fini = remove_directory);

static const char *make_file(const char *content, size_t length, mode_t mode)
{
    snprintf(path, sizeof path, "%s/file", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, content, length), (ssize_t)length);
    fchmod(fd, mode);
    close(fd);
    return path;
}

static void expect_error(const char *binary, int code, const char *message)
{
    char *argv[] = {(char *)"x", NULL};
    struct rpctl_process process = {.pid = 12345};
    int fds = count_open_fds();
    struct rpctl_spawn_request request = {
        .binary = binary, .argv = argv, .envp = no_environment, .cwd_fd = -1, .log_fd = 2};
    error.message[0] = '\0';
    int r = rpctl_spawn(&request, &process, &error);
    cr_assert_eq(r, code, "%d: %s", r, error.message);
    cr_assert_eq(error.code, code);
    cr_assert_not_null(strstr(error.message, message), "%s", error.message);
    cr_assert_not_null(strstr(error.message, "cannot run "), "%s", error.message);
    cr_assert_null(strchr(error.message, '\n'));
    cr_assert_eq(process.pid, 12345, "written in spite of the error");
    cr_assert_eq(count_open_fds(), fds, "a descriptor is left");
    expect_no_children();
    expect_no_leak();
}

#define EXPECT_FILE(content, mode, code, message)                                                            \
    expect_error(make_file(content, sizeof(content) - 1, mode), code, message)

Test(spawn_errors, files_that_are_none)
{
    expect_error("/nonexistent/server", -ENOENT, "/nonexistent/server: no such file");
    expect_error("/bin/sh/server", -ENOTDIR, "Not a directory");
    snprintf(path, sizeof path, "%s/file", directory);
    cr_assert_eq(symlink("nowhere", path), 0);
    expect_error(path, -ENOENT, "symlink to nothing");
    unlink(path);
    cr_assert_eq(symlink("file", path), 0);
    expect_error(path, -ELOOP, "symbolic links");
    unlink(path);
    mkfifo(path, 0755);
    expect_error(path, -EACCES, "not a file");
    unlink(path);
    mkdir(path, 0755);
    expect_error(path, -EACCES, "it is a directory");
}

Test(spawn_errors, scripts)
{
    EXPECT_FILE("#!/nonexistent/interpreter -x\n", 0755, -ENOENT,
                "its interpreter /nonexistent/interpreter is missing");
    EXPECT_FILE("#! \t/nonexistent\nmore", 0755, -ENOENT, "its interpreter /nonexistent is missing");
    EXPECT_FILE("#!/bin/sh\r\necho\r\n", 0755, -ENOENT, "the line ends in CR");
    EXPECT_FILE("#!/etc/passwd\n", 0755, -EACCES, "its interpreter /etc/passwd may not be executed");
    EXPECT_FILE("echo no first line\n", 0755, -ENOEXEC, "neither a program nor a script");
    EXPECT_FILE("", 0755, -ENOEXEC, "the file is empty");
    EXPECT_FILE("#!/bin/sh\n", 0644, -EACCES, "not executable");
}

/* The beginning of this very program, with another processor, or with too little behind it. */
static size_t read_own_elf(char *bytes, size_t size)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, bytes, size);
    close(fd);
    return (size_t)length;
}

Test(spawn_errors, programs)
{
    char head[4096];
    Elf64_Ehdr *elf = (Elf64_Ehdr *)head;
    size_t length = read_own_elf(head, sizeof head);
    unsigned machine = elf->e_machine;
    char message[64];
    elf->e_machine = EM_MIPS;
    snprintf(message, sizeof message, "another processor (ELF machine %d, here %u)", EM_MIPS, machine);
    expect_error(make_file(head, length, 0755), -ENOEXEC, message);
    elf->e_machine = (Elf64_Half)machine;
    elf->e_phentsize = 1;
    expect_error(make_file(head, length, 0755), -ENOEXEC, "damaged");
}

Test(spawn_errors, dynamic_loader_is_missing)
{
    static char whole[64 * 1024 * 1024];
    size_t length = read_own_elf(whole, sizeof whole);
    char *loader = memmem(whole, length, "/lib64/ld-linux", 15);
    if (!loader) return; /* another architecture's name */
    memcpy(loader, "/lib65", 6);
    expect_error(make_file(whole, length, 0755), -ENOENT, "its dynamic loader is missing");
}

Test(spawn_errors, busy_text)
{
    static char whole[64 * 1024 * 1024];
    size_t length = read_own_elf(whole, sizeof whole);
    make_file(whole, length, 0755);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    expect_error(path, -ETXTBSY, "open for writing");
    close(writer);
}

Test(spawn_errors, long_and_strange_paths)
{
    char name[600] = "/nonexistent/\x1b[2J\n";
    expect_error(name, -ENOENT, "/nonexistent/?[2J?: no such file");
    memset(name, 'x', 500);
    name[0] = name[200] = name[400] = '/';
    strcpy(name + 500, "/the-end");
    expect_error(name, -ENOENT, "/the-end: no such file");
}

Test(spawn_errors, too_long_an_argument)
{
    size_t length = 8 * 1024 * 1024;
    char *argument = malloc(length + 1);
    memset(argument, 'x', length);
    argument[length] = '\0';
    char *argv[] = {(char *)"true", argument, NULL};
    struct rpctl_process process;
    struct rpctl_spawn_request request = {
        .binary = "/bin/true", .argv = argv, .envp = no_environment, .cwd_fd = -1, .log_fd = 2};
    cr_assert_eq(rpctl_spawn(&request, &process, &error), -E2BIG);
    cr_assert_not_null(strstr(error.message, "too long together"), "%s", error.message);
    free(argument);
    expect_no_children();
}

Test(spawn_errors, bad_descriptors)
{
    char *argv[] = {(char *)"true", NULL};
    struct rpctl_process process;
    struct rpctl_spawn_request request = {
        .binary = "/bin/true", .argv = argv, .envp = no_environment, .cwd_fd = -1, .log_fd = 999};
    cr_assert_eq(rpctl_spawn(&request, &process, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "descriptors: cannot run /bin/true"), "%s", error.message);
    request.log_fd = 2;
    request.cwd_fd = 999;
    cr_assert_eq(rpctl_spawn(&request, &process, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "fchdir: cannot run /bin/true"), "%s", error.message);
    expect_no_children();
}

/* With n free descriptors, for n = 0, 1, …, until it works: every step of the parent and of the child fails
 * once. */
Test(spawn_errors, out_of_descriptors)
{
    char *argv[] = {(char *)"true", NULL};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rpctl_spawn_request request = {.binary = "/bin/true",
                                          .argv = argv,
                                          .envp = no_environment,
                                          .cwd_fd = -1,
                                          .log_fd = 2,
                                          .listen_fds = &listener,
                                          .listen_fd_count = 1};
    struct rlimit before;
    int failures = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    for (int r = -1; r < 0;) {
        struct rpctl_process process;
        struct rlimit limit = {(rlim_t)(listener + 1 + failures), before.rlim_max};
        setrlimit(RLIMIT_NOFILE, &limit);
        r = rpctl_spawn(&request, &process, &error);
        setrlimit(RLIMIT_NOFILE, &before);
        if (r < 0) {
            failures++;
            cr_assert_eq(r, -EMFILE, "%s", error.message);
            cr_assert_not_null(strstr(error.message, "ulimit -n"), "%s", error.message);
            expect_no_children();
        } else
            waitpid(process.pid, NULL, 0);
    }
    cr_assert_geq(failures, 4);
}

Test(spawn_errors, out_of_processes)
{
    struct rlimit limit = {0, 0};
    char *argv[] = {(char *)"true", NULL};
    struct rpctl_process process;
    struct rpctl_spawn_request request = {
        .binary = "/bin/true", .argv = argv, .envp = no_environment, .cwd_fd = -1, .log_fd = 2};
    uid_t own = geteuid();
    if (own == 0) cr_assert_eq(setresuid(65534, 65534, 0), 0); /* the limit does not bind root */
    setrlimit(RLIMIT_NPROC, &limit);
    int r = rpctl_spawn(&request, &process, &error);
    if (own == 0) cr_assert_eq(setresuid(0, 0, 0), 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak checker; changing the user has cleared it */
    cr_assert_eq(r, -EAGAIN, "%s", error.message);
    cr_assert_not_null(strstr(error.message, "too many processes"), "%s", error.message);
}

/* --- beside threads that hold malloc's locks and signals that come at any time --- */

static atomic_bool stop;
static pid_t parent;

static void *churn(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        void *block = malloc(100000);
        memset(block, 1, 100);
        free(block);
    }
    return NULL;
}

static void *shoot(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) kill(parent, SIGUSR1);
    return NULL;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
}

Test(spawn, beside_threads_and_signals)
{
    pthread_t threads[2];
    parent = getpid();
    signal(SIGUSR1, on_signal);
    pthread_create(&threads[0], NULL, churn, NULL);
    pthread_create(&threads[1], NULL, shoot, NULL);
    for (int i = 0; i < 200; i++) {
        char *argv[] = {(char *)"true", NULL};
        struct rpctl_process process;
        int status;
        struct rpctl_spawn_request request = {.binary = i % 2 ? "/bin/true" : "/nonexistent",
                                              .argv = argv,
                                              .envp = no_environment,
                                              .cwd_fd = -1,
                                              .log_fd = 2};
        int r = rpctl_spawn(&request, &process, &error);
        cr_assert_eq(r, i % 2 ? 0 : -ENOENT, "%s", error.message);
        if (r < 0) continue;
        while (waitpid(process.pid, &status, 0) < 0) cr_assert_eq(errno, EINTR);
        cr_assert_eq(status, 0);
        rpctl_process_close(&process);
    }
    atomic_store(&stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}
