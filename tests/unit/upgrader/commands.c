/* The commands against a supervisor that plays back prepared answers. */
#include "commands/commands.h"
#include "fixture.h"
#include "linux/log_file.h"
#include "linux/service_dir.h"
#include "linux/unix_socket.h"
#include "shell/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULT_DONE                                                                                          \
    "{\"event\":\"result\",\"service\":\"web\",\"exit\":0,\"operation\":\"upgrade\",\"ms\":5}\n"
#define HEADING                                                                                              \
    "{\"event\":\"operation\",\"service\":\"web\",\"operation\":\"upgrade\",\"from\":1,\"to\":2,"            \
    "\"release\":\"v2\"}\n"

static char root[64];
static char out[1 << 20], err[4096], request_text[4096];
static struct rpctl_service_dir *dir;
static int listener = -1;
static pid_t supervisor = -1;

typedef int command_function(const struct rpctl_command_line *line);

static void setup(void)
{
    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    setenv("RPCTL_DIR", root, 1);
    setenv("TERM", "dumb", 1);
}

static void teardown(void)
{
    char command[128];
    rpctl_service_dir_close(dir);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(commands, .init = setup, .fini = teardown, .timeout = 60);

static const char *in_root(const char *rest)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, rest);
    return path;
}

static void read_file(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, text, bytes - 1);
    text[length > 0 ? length : 0] = '\0';
    if (fd >= 0) close(fd);
}

/* ---- the supervisor's side ---- */

static void open_dir(void)
{
    struct rp_error error;
    if (!dir) cr_assert_eq(rpctl_service_dir_open(&dir, root, "web", RPCTL_SERVICE_DIR_CREATE, &error), 0);
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}

/* Takes one client, keeps its request, answers. */
static void serve_one(int fd, const char *answer)
{
    char request[4096];
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    poll(&polled, 1, -1);
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    ssize_t length = read(client, request, sizeof request);
    int file = open(in_root("request"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    write_all(file, request, length > 0 ? (size_t)length : 0);
    close(file);
    write_all(client, answer, strlen(answer));
    close(client);
}

/* Answers `count` clients with the same text, in a process of its own. */
static void fake_supervisor(const char *answer, int count)
{
    struct rp_error error;
    open_dir();
    cr_assert_eq(rpctl_unix_socket_bind(rpctl_service_dir_fd(dir), "control", SOCK_STREAM, &listener, &error),
                 0);
    int listens[2];
    char byte;
    cr_assert_eq(pipe(listens), 0);
    supervisor = fork();
    if (supervisor == 0) {
        listen(listener, count); /* again: a client asks whose socket it is */
        write_all(listens[1], "l", 1);
        for (int i = 0; i < count; i++) serve_one(listener, answer);
        _exit(0);
    }
    cr_assert_eq(read(listens[0], &byte, 1), 1);
    close(listens[0]);
    close(listens[1]);
    close(listener);
}

static void supervisor_ends(void)
{
    cr_assert_eq(waitpid(supervisor, NULL, 0), supervisor);
    read_file(in_root("request"), request_text, sizeof request_text);
}

/* ---- the client's side ---- */

static int redirect(int fd, const char *path)
{
    int saved = dup(fd);
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(file, fd);
    close(file);
    return saved;
}

static void restore(int fd, int saved)
{
    dup2(saved, fd);
    close(saved);
}

static struct rpctl_command_line parse(char *words)
{
    static char *argv[64];
    struct rpctl_command_line line;
    struct rp_error error = {0};
    int argc = 0;
    for (char *word; (word = strsep(&words, " "));) argv[argc++] = word;
    argv[argc] = NULL;
    cr_assert_eq(rpctl_command_line_parse(&line, argc, argv,
                                          &(struct rpctl_command_line_defaults){"web", root}, &error),
                 0, "%s", error.message);
    return line;
}

/* Runs a command; what it printed is in `out` and `err`. */
static int run(command_function *function, const char *words)
{
    char copy[512], out_path[128], err_path[128];
    snprintf(copy, sizeof copy, "rpctl %s", words);
    snprintf(out_path, sizeof out_path, "%s/stdout", root);
    snprintf(err_path, sizeof err_path, "%s/stderr", root);
    struct rpctl_command_line line = parse(copy);
    fflush(NULL);
    int saved_out = redirect(STDOUT_FILENO, out_path);
    int saved_err = redirect(STDERR_FILENO, err_path);
    int code = function(&line);
    fflush(NULL);
    restore(STDOUT_FILENO, saved_out);
    restore(STDERR_FILENO, saved_err);
    rpctl_command_line_done(&line);
    read_file(out_path, out, sizeof out);
    read_file(err_path, err, sizeof err);
    return code;
}

/* ---- the supervisor of start and run ---- */

static int play(const struct rpctl_supervisor_config *config, const char *answer)
{
    int fd;
    if (rpctl_service_dir_lock(config->dir, NULL, NULL) < 0) return 4;
    if (rpctl_unix_socket_bind(rpctl_service_dir_fd(config->dir), "control", SOCK_STREAM, &fd, NULL) < 0)
        return 70;
    if (config->ready_fd >= 0) write_all(config->ready_fd, "ok\n", 3);
    close(config->ready_fd);
    serve_one(fd, answer);
    return 1;
}

static void write_facts(const struct rpctl_supervisor_config *config)
{
    struct stat in, null;
    int fd = open(in_root("facts"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    bool no_stdin = fstat(0, &in) == 0 && stat("/dev/null", &null) == 0 && in.st_rdev == null.st_rdev;
    dprintf(fd,
            "name=%s binary=%s args=%s,%s env=%s bake=%u json=%d quiet=%d foreground=%d leader=%d stdin=%d "
            "fds=%d",
            config->name, config->binary, config->args[0] ? config->args[0] : "-",
            config->args[0] && config->args[1] ? config->args[1] : "-", config->env[0] ? config->env[0] : "-",
            config->policy.bake_ms, config->json, config->quiet, config->foreground, getsid(0) == getpid(),
            no_stdin, count_open_fds());
    close(fd);
    printf("to the log\n");
    fflush(stdout);
}

/* Instead of the real one, which is not linked in. What it does is told by the binary's name. */
int rpctl_supervisor_main(const struct rpctl_supervisor_config *config)
{
    const char *what = strrchr(config->binary, '/') + 1;
    int code = 0;
    write_facts(config);
    if (strcmp(what, "good") == 0)
        code = play(config, "{\"event\":\"result\",\"exit\":0,\"operation\":\"start\",\"ms\":5}\n");
    else if (strcmp(what, "start-fails") == 0)
        code = play(config,
                    "{\"event\":\"result\",\"exit\":1,\"operation\":\"start\",\"reason\":\"it died\"}\n");
    else if (strcmp(what, "says-why") == 0)
        write_all(config->ready_fd, "the reason\n", 11), code = 4;
    else if (strcmp(what, "mute") == 0)
        code = 9;
    if (!config->foreground) _exit(code);
    return code;
}

/* ---- tests ---- */

Test(commands, upgrade)
{
    cr_assert_eq(chdir(root), 0);
    fake_supervisor(HEADING "{\"event\":\"phase\",\"phase\":\"launch\",\"state\":\"end\",\"detail\":\"pid "
                            "7\",\"ms\":9}\n" RESULT_DONE,
                    1);
    cr_assert_eq(run(rpctl_command_upgrade, "upgrade --bake 2s --env A=1 ./v2 --port 8"), 0);
    supervisor_ends();
    cr_assert_str_eq(out, "upgrade web: generation 1 -> 2  v2\n"
                          "  launch    pid 7                                         9 ms\n"
                          "upgraded in 5 ms\n");
    cr_assert_str_eq(err, "");
    char wanted[512];
    snprintf(
        wanted, sizeof wanted,
        "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"%s/v2\",\"args\":[\"--port\",\"8\"],\"env\":[\"A=1\"],"
        "\"policy\":{\"bake\":\"2s\"}}\n",
        root);
    cr_assert_str_eq(request_text, wanted);
    expect_no_leak();
}

Test(commands, upgrade_without_arguments_keeps_them)
{
    fake_supervisor(RESULT_DONE, 1);
    cr_assert_eq(run(rpctl_command_upgrade, "upgrade /v2"), 0);
    supervisor_ends();
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/v2\",\"policy\":{}}\n");
}

Test(commands, upgrade_as_json)
{
    fake_supervisor(HEADING RESULT_DONE, 1);
    cr_assert_eq(run(rpctl_command_upgrade, "--json upgrade /v2"), 0);
    supervisor_ends();
    cr_assert_str_eq(out, HEADING RESULT_DONE);
}

Test(commands, every_exit_code_is_the_results)
{
    static const int codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 70};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char answer[256];
        snprintf(answer, sizeof answer,
                 HEADING "{\"event\":\"result\",\"exit\":%d,\"reason\":\"why\",\"log\":[\"l\"]}\n", codes[i]);
        fake_supervisor(answer, 1);
        cr_assert_eq(run(rpctl_command_restart, "restart -q"), codes[i]);
        supervisor_ends();
        cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"restart\",\"policy\":{}}\n");
        cr_assert_str_eq(out, "");
        cr_assert_eq(strstr(err, "why") != NULL, codes[i] != 0, "%d: %s", codes[i], err);
        if (codes[i] == 1) cr_assert_str_eq(err, "failed: why\nlast lines of v2:\n    l\n");
    }
}

Test(commands, a_result_that_makes_no_sense)
{
    static const char *const answers[] = {"{\"event\":\"result\"}\n",
                                          "{\"event\":\"result\",\"exit\":\"0\"}\n",
                                          "{\"event\":\"result\",\"exit\":-1}\n",
                                          "{\"event\":\"result\",\"exit\":999}\n",
                                          "nonsense\n",
                                          "[]\n",
                                          "\n",
                                          HEADING,
                                          "",
                                          "{\"event\":\"result\",\"exit\":0}"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        fake_supervisor(answers[i], 1);
        cr_assert_eq(run(rpctl_command_restart, "restart"), 70, "%s", answers[i]);
        supervisor_ends();
    }
    cr_assert(strstr(err, "the supervisor went away before the outcome was known"), "%s", err);
    cr_assert(strstr(err, "rpctl -n web status"), "%s", err);
    fake_supervisor(HEADING, 1);
    cr_assert_eq(run(rpctl_command_restart, "--json restart"), 70);
    supervisor_ends();
    cr_assert(strstr(out, HEADING
                     "{\"event\":\"result\",\"schema\":1,\"service\":\"web\",\"exit\":70,\"outcome\":\"bug\","
                     "\"reason\":\"the supervisor went"),
              "%s", out);
    cr_assert_str_eq(err, "");
    expect_no_leak();
}

Test(commands, an_endless_line)
{
    size_t length = 5 * 1024 * 1024;
    char *answer = malloc(length + 1);
    memset(answer, 'x', length);
    answer[length] = '\0';
    signal(SIGPIPE, SIG_IGN);
    fake_supervisor(answer, 1);
    cr_assert_eq(run(rpctl_command_restart, "restart"), 70);
    supervisor_ends();
    free(answer);
}

static void expect_no_service(command_function *function, const char *words)
{
    char text[600];
    cr_assert_eq(run(function, words), 5, "%s: %s", words, err);
    snprintf(text, sizeof text,
             "rpctl: no service web is running (%s/web); start it with: rpctl start BINARY\n", root);
    cr_assert_str_eq(err, text);
    cr_assert_str_eq(out, "");
}

Test(commands, no_service)
{
    static const struct {
        command_function *function;
        const char *words;
    } cases[] = {{rpctl_command_upgrade, "upgrade /x"}, {rpctl_command_restart, "restart"},
                 {rpctl_command_abort, "abort"},        {rpctl_command_status, "status"},
                 {rpctl_command_stop, "stop"},          {rpctl_command_status, "status --watch"}};
    for (int round = 0; round < 3; round++) { /* no directory, no socket, a stale socket */
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            expect_no_service(cases[i].function, cases[i].words);
        if (round == 0) expect_no_service(rpctl_command_logs, "logs");
        open_dir();
        if (round == 1) {
            cr_assert_eq(
                rpctl_unix_socket_bind(rpctl_service_dir_fd(dir), "control", SOCK_STREAM, &listener, NULL),
                0);
            close(listener);
        }
    }
    cr_assert_eq(run(rpctl_command_upgrade, "--json upgrade /x"), 5);
    cr_assert(strstr(out,
                     "{\"event\":\"result\",\"schema\":1,\"service\":\"web\",\"exit\":5,\"outcome\":\"no "
                     "service\",\"reason\":\"no service web"),
              "%s", out);
    cr_assert_eq(out[strlen(out) - 1], '\n');
    expect_no_leak();
}

Test(commands, a_directory_that_is_not_safe)
{
    open_dir();
    cr_assert_eq(chmod(in_root("web"), 0777), 0);
    cr_assert_eq(run(rpctl_command_status, "status"), 6);
    cr_assert(strstr(err, "written to by others"), "%s", err);
    cr_assert_eq(run(rpctl_command_start, "start /good"), 6);
    cr_assert_eq(chmod(in_root("web"), 0700), 0);
}

Test(commands, config_file)
{
    char words[256];
    FILE *file = fopen(in_root("c.ini"), "w");
    fputs("bake = 5s\nwait = shifted\n", file);
    fclose(file);
    fake_supervisor(RESULT_DONE, 1);
    snprintf(words, sizeof words, "restart --config %s/c.ini --bake 1s", root);
    cr_assert_eq(run(rpctl_command_restart, words), 0);
    supervisor_ends();
    cr_assert(strstr(request_text, "\"policy\":{\"bake\":\"1s\",\"wait\":\"shifted\"}"), "%s", request_text);
    file = fopen(in_root("c.ini"), "a");
    fputs("steps = 1%\n", file);
    fclose(file);
    cr_assert_eq(run(rpctl_command_restart, words), 2);
    cr_assert(strstr(err, "c.ini:3: unknown policy key 'steps'"), "%s", err);
    cr_assert_eq(run(rpctl_command_restart, "restart --config /no/such/file"), 2);
    cr_assert(strstr(err, "cannot read /no/such/file"), "%s", err);
    expect_no_leak();
}

Test(commands, a_binary_that_is_not_found)
{
    open_dir();
    cr_assert_eq(run(rpctl_command_upgrade, "upgrade no-such-program-anywhere"), 6);
    cr_assert(strstr(err, "no such program in PATH"), "%s", err);
    cr_assert_eq(run(rpctl_command_upgrade, "upgrade /x \xff"), 2);
    cr_assert(strstr(err, "not UTF-8"), "%s", err);
    cr_assert_eq(run(rpctl_command_start, "--json start no-such-program-anywhere"), 6);
    cr_assert(strstr(out, "\"exit\":6,\"outcome\":\"refused\""), "%s", out);
}

Test(commands, abort_and_stop)
{
    fake_supervisor(
        "{\"event\":\"result\",\"exit\":1,\"operation\":\"abort\",\"reason\":\"nothing to abort\"}\n", 1);
    cr_assert_eq(run(rpctl_command_abort, "abort"), 1);
    supervisor_ends();
    cr_assert_str_eq(err, "failed: nothing to abort\n");
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"abort\"}\n");
    fake_supervisor("{\"event\":\"result\",\"exit\":0,\"operation\":\"stop\",\"ms\":12}\n", 1);
    cr_assert_eq(run(rpctl_command_stop, "stop"), 0);
    supervisor_ends();
    cr_assert_str_eq(out, "stopped in 12 ms\n");
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"stop\"}\n");
}

Test(commands, status)
{
    static const char answer[] =
        "{\"event\":\"status\",\"service\":\"web\",\"release\":\"v1\",\"generations\":[]}\n";
    fake_supervisor(answer, 2);
    cr_assert_eq(run(rpctl_command_status, "status"), 0);
    cr_assert(strstr(out, "service     web: v1\n"), "%s", out);
    cr_assert_eq(run(rpctl_command_status, "--json status"), 0);
    cr_assert_str_eq(out, answer);
    supervisor_ends();
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"status\"}\n");
    fake_supervisor("{\"event\":\"result\",\"exit\":2,\"reason\":\"protocol version\"}\n", 1);
    cr_assert_eq(run(rpctl_command_status, "status"), 2);
    cr_assert(strstr(err, "protocol version"));
    supervisor_ends();
    fake_supervisor("", 1);
    cr_assert_eq(run(rpctl_command_status, "status"), 5);
    cr_assert_str_eq(err, "rpctl: the supervisor of service web has ended\n");
    supervisor_ends();
    expect_no_leak();
}

/* It closes the connection, and lives on. */
Test(commands, status_without_an_answer)
{
    fake_supervisor("", 2);
    cr_assert_eq(run(rpctl_command_status, "status"), 70);
    cr_assert_str_eq(err, "rpctl: the supervisor went away without an answer\n");
    cr_assert_eq(kill(supervisor, SIGKILL), 0);
    supervisor_ends();
}

/* Not on a terminal: a block for each status, until the service ends. */
Test(commands, status_watch)
{
    static const char answers[] =
        "{\"event\":\"status\",\"service\":\"web\",\"release\":\"v1\",\"generations\":[]}\n"
        "{\"event\":\"status\",\"service\":\"web\",\"release\":\"v2\",\"generations\":[]}\n";
    char wanted[sizeof answers + 256];
    fake_supervisor(answers, 1);
    cr_assert_eq(run(rpctl_command_status, "status --watch"), 5);
    cr_assert(strstr(out, "service     web: v1\n"), "%s", out);
    cr_assert(strstr(out, "PIDS\n\nservice     web: v2\n"), "%s", out);
    cr_assert_null(strchr(out, '\x1b'), "%s", out);
    cr_assert_str_eq(err, "rpctl: the supervisor of service web has ended\n");
    supervisor_ends();
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"watch\"}\n");
    fake_supervisor(answers, 1);
    cr_assert_eq(run(rpctl_command_status, "--json status --watch"), 5);
    snprintf(wanted, sizeof wanted,
             "%s{\"event\":\"result\",\"schema\":1,\"service\":\"web\",\"exit\":5,\"outcome\":\"no "
             "service\",\"reason\":\"the supervisor of service web has ended\"}\n",
             answers);
    cr_assert_str_eq(out, wanted);
    supervisor_ends();
    fake_supervisor("{\"event\":\"result\",\"exit\":2,\"reason\":\"no such command\"}\n", 1);
    cr_assert_eq(run(rpctl_command_status, "status --watch"), 2);
    cr_assert(strstr(err, "no such command"));
    supervisor_ends();
    expect_no_leak();
}

/* Ctrl-C ends only the client, and it says so. */
static void expect_interrupt(command_function *function, const char *words, int signal_number,
                             const char *message)
{
    struct rp_error error;
    char request[4096], all[4096] = "";
    int output[2];
    open_dir();
    cr_assert_eq(rpctl_unix_socket_bind(rpctl_service_dir_fd(dir), "control", SOCK_STREAM, &listener, &error),
                 0);
    cr_assert_eq(pipe(output), 0);
    pid_t client = fork();
    if (client == 0) {
        char copy[128];
        snprintf(copy, sizeof copy, "rpctl %s", words);
        struct rpctl_command_line line = parse(copy);
        dup2(output[1], STDERR_FILENO);
        _exit(function(&line));
    }
    close(output[1]);
    struct pollfd polled = {.fd = listener, .events = POLLIN};
    poll(&polled, 1, -1);
    int connection = accept(listener, NULL, NULL);
    cr_assert_gt(read(connection, request, sizeof request), 0); /* from here on it waits for events */
    cr_assert_eq(kill(client, signal_number), 0);
    int status;
    cr_assert_eq(waitpid(client, &status, 0), client);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 128 + signal_number);
    cr_assert_gt(read(output[0], all, sizeof all - 1), 0);
    cr_assert_str_eq(all, message);
    close(output[0]);
    close(connection);
    close(listener);
}

Test(commands, interrupt)
{
    expect_interrupt(
        rpctl_command_upgrade, "upgrade /x", SIGINT,
        "rpctl: the upgrade goes on; stop it with: rpctl -n web abort; look: rpctl -n web status\n");
    expect_interrupt(rpctl_command_stop, "stop", SIGTERM,
                     "rpctl: the stop goes on; look: rpctl -n web status\n");
}

static void supervisor_log_has(const char *text)
{
    char log[256];
    read_file(in_root("web/log/supervisor.log"), log, sizeof log);
    cr_assert_str_eq(log, text);
}

Test(commands, start)
{
    char facts[512], wanted[512];
    cr_assert_eq(fcntl(STDERR_FILENO, F_DUPFD, 40) >= 40,
                 1); /* something inherited that the supervisor must not keep */
    cr_assert_eq(run(rpctl_command_start, "start --bake 3s --env A=1 /some/good x y"), 0);
    cr_assert_str_eq(out, "started in 5 ms\n");
    cr_assert_str_eq(err, "");
    read_file(in_root("facts"), facts, sizeof facts);
    read_file(in_root("request"), request_text, sizeof request_text);
    cr_assert_str_eq(request_text, "{\"v\":1,\"command\":\"follow\"}\n");
    /* 0, 1, 2, directory, log/, the pipe, the facts, and the one of the count itself; ".", ".." */
    snprintf(wanted, sizeof wanted,
             "name=web binary=/some/good args=x,y env=A=1 bake=3000 json=0 quiet=0 foreground=0 leader=1 "
             "stdin=1 fds=%d",
             10);
    cr_assert_str_eq(facts, wanted);
    supervisor_log_has("to the log\n");
    while (waitpid(-1, NULL, 0) > 0) continue;
    expect_no_leak();
}

Test(commands, start_that_fails)
{
    cr_assert_eq(run(rpctl_command_start, "start /start-fails"), 1);
    cr_assert_str_eq(err, "failed: it died\n");
    /* it has waited for the supervisor's end: the lock is free */
    cr_assert_eq(run(rpctl_command_start, "start /start-fails"), 1);
    cr_assert_str_eq(err, "failed: it died\n");
    cr_assert_eq(run(rpctl_command_start, "start /says-why"), 4);
    cr_assert_str_eq(err, "rpctl: the reason\n");
    cr_assert_eq(run(rpctl_command_start, "--json start /says-why"), 4);
    cr_assert(strstr(out, "\"exit\":4,\"outcome\":\"busy\",\"reason\":\"the reason\"}\n"), "%s", out);
    cr_assert_eq(run(rpctl_command_start, "start /mute"), 9);
    cr_assert(strstr(err, "the supervisor ended before it was ready; see "), "%s", err);
    cr_assert(strstr(err, "/web/log/supervisor.log\n"), "%s", err);
    while (waitpid(-1, NULL, 0) > 0) continue;
}

Test(commands, run)
{
    char facts[512];
    cr_assert_eq(run(rpctl_command_run, "--json -q run /anything"), 0);
    read_file(in_root("facts"), facts, sizeof facts);
    cr_assert(strstr(facts, "name=web binary=/anything args=-,- env=- bake=1000 json=1 quiet=1 foreground=1"),
              "%s", facts);
    cr_assert_str_eq(out, "to the log\n");
    cr_assert_eq(run(rpctl_command_run, "run no-such-program-anywhere"), 6);
    expect_no_leak();
}

Test(commands, version_and_help)
{
    cr_assert_eq(run(rpctl_command_version, "version"), 0);
    cr_assert_str_eq(out, "rpctl " RPCTL_VERSION "\n");
    cr_assert_eq(run(rpctl_command_version, "--json version"), 0);
    cr_assert_str_eq(out, "{\"event\":\"version\",\"schema\":1,\"version\":\"" RPCTL_VERSION
                          "\",\"protocol\":1}\n");
    cr_assert_eq(run(rpctl_command_help, "help"), 0);
    cr_assert(strstr(out, "usage: rpctl"));
}

/* ---- logs ---- */

static int append_log(unsigned generation, const char *text)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    int fd;
    open_dir();
    rpctl_log_file_name(generation, name);
    cr_assert_eq(rpctl_log_file_open(rpctl_service_dir_log_fd(dir), name, &fd, NULL), 0);
    write_all(fd, text, strlen(text));
    return fd;
}

Test(commands, logs)
{
    open_dir();
    cr_assert_eq(run(rpctl_command_logs, "logs"), 1);
    cr_assert_str_eq(err, "rpctl: service web has written no log yet\n");
    close(append_log(1, "a\nb\nc\n"));
    close(append_log(2, "d\n"));
    cr_assert_eq(run(rpctl_command_logs, "logs"), 0);
    cr_assert_str_eq(out, "d\n");
    cr_assert_eq(run(rpctl_command_logs, "logs --generation 1 --lines 2"), 0);
    cr_assert_str_eq(out, "b\nc\n");
    cr_assert_eq(run(rpctl_command_logs, "logs --generation 7"), 1);
    cr_assert(strstr(err, "generation-7.log"), "%s", err);
    cr_assert_eq(rmdir(in_root("web/log")), -1);
    expect_no_leak();
}

/* Reads exactly what is wanted, and fails by the suite's timeout when it does not come. */
static void expect_output(int fd, const char *wanted)
{
    char got[512] = "";
    size_t used = 0;
    while (used < strlen(wanted)) {
        ssize_t length = read(fd, got + used, strlen(wanted) - used);
        cr_assert_gt(length, 0);
        used += (size_t)length;
    }
    cr_assert_str_eq(got, wanted);
}

static pid_t follow_logs(const char *words, int *ret_output)
{
    int output[2];
    cr_assert_eq(pipe(output), 0);
    pid_t client = fork();
    if (client == 0) {
        char copy[128];
        snprintf(copy, sizeof copy, "rpctl %s", words);
        struct rpctl_command_line line = parse(copy);
        dup2(output[1], STDOUT_FILENO);
        close(output[0]);
        close(output[1]);
        _exit(rpctl_command_logs(&line));
    }
    close(output[1]);
    *ret_output = output[0];
    return client;
}

Test(commands, logs_follow)
{
    int output;
    int status;
    int first = append_log(1, "a\nb\n");
    pid_t client = follow_logs("logs -f --lines 1", &output);
    expect_output(output, "b\n");
    dprintf(first, "c\n");
    expect_output(output, "c\n");
    int second = append_log(2, "d\n");
    expect_output(output, "==> generation 2 <==\nd\n");
    dprintf(first, "draining\n"); /* the old generation goes on for a while */
    expect_output(output, "==> generation 1 <==\ndraining\n");
    dprintf(second, "e\n");
    expect_output(output, "==> generation 2 <==\ne\n");
    for (unsigned generation = 3; generation < 9; generation++) {
        char wanted[64];
        close(append_log(generation, "x\n"));
        snprintf(wanted, sizeof wanted, "==> generation %u <==\nx\n", generation);
        expect_output(output, wanted);
    }
    cr_assert_eq(kill(client, SIGINT), 0);
    cr_assert_eq(waitpid(client, &status, 0), client);
    cr_assert(WIFSIGNALED(status));
    close(output);
    close(first);
    close(second);
}

Test(commands, logs_follow_one)
{
    int output;
    int first = append_log(1, "a\n");
    pid_t client = follow_logs("logs --follow --generation 1", &output);
    expect_output(output, "a\n");
    close(append_log(2, "d\n"));
    dprintf(first, "b\n");
    expect_output(output, "b\n");
    cr_assert_eq(kill(client, SIGTERM), 0);
    cr_assert_eq(waitpid(client, NULL, 0), client);
    close(output);
    close(first);
}
