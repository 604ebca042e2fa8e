#include "linux/marked.h"

#include "linux/process_environment.h"
#include "linux/process_stat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_BYTES_MAX (256u * 1024)
#define DELETED           " (deleted)" /* proc(5): what is added to the path of a file that was removed */

static bool has_value(const struct rpctl_process_environment *environment, const char *name,
                      const char *value)
{
    const char *found = rpctl_process_environment_get(environment, name);

    return found && strcmp(found, value) == 0;
}

static bool take_number(const struct rpctl_process_environment *environment, const char *name,
                        unsigned *ret_number)
{
    const char *text = rpctl_process_environment_get(environment, name);
    unsigned long number;
    char *end;

    if (!text || !isdigit((unsigned char)text[0])) return false;
    number = strtoul(text, &end, 10);
    if (*end != '\0' || number == 0 || number > INT_MAX) return false;
    *ret_number = (unsigned)number;
    return true;
}

static bool read_mark(pid_t pid, const char *service, const char *notify_path, struct rpctl_marked *marked)
{
    struct rpctl_process_environment environment = {0};
    bool found;

    if (rpctl_process_environment_read(pid, &environment) < 0) return false;
    found = has_value(&environment, "RP_SERVICE", service) &&
            has_value(&environment, "NOTIFY_SOCKET", notify_path) &&
            take_number(&environment, "RP_GENERATION", &marked->generation) &&
            take_number(&environment, "RP_INSTANCE", &marked->instance);
    rpctl_process_environment_free(&environment);
    return found;
}

static bool is_candidate(pid_t pid)
{
    struct rpctl_process_stat stat;
    uid_t user = (uid_t)-1;

    if (rpctl_process_stat_read(pid, &stat) < 0 || stat.state == 'Z' || stat.state == 'X') return false;
    return stat.session == pid && rpctl_process_user(pid, &user) == 0 && user == geteuid();
}

static bool open_marked(pid_t pid, const char *service, const char *notify_path, struct rpctl_marked *marked)
{
    if (!is_candidate(pid) || rpctl_process_open(&marked->process, pid, NULL) < 0) return false;
    /* Through the pidfd it is this process from here on; what was read before may be another's. */
    if (read_mark(pid, service, notify_path, marked) && rpctl_process_signal(&marked->process, 0) == 0)
        return true;
    rpctl_process_close(&marked->process);
    return false;
}

int rpctl_marked_find(const char *service, const char *notify_path,
                      struct rpctl_marked marked[RPCTL_MARKED_MAX], size_t *ret_count, struct rp_error *error)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;

    if (!directory) return rp_error_set(error, -errno, "cannot read /proc: %s", strerror(errno));
    while (count < RPCTL_MARKED_MAX && (entry = readdir(directory))) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid > 0 && pid != getpid() && open_marked(pid, service, notify_path, &marked[count])) count++;
    }
    closedir(directory);
    *ret_count = count;
    return 0;
}

static char *read_executable(pid_t pid)
{
    char link[32], path[PATH_MAX];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = '\0';
    if ((size_t)length > strlen(DELETED) && strcmp(path + length - strlen(DELETED), DELETED) == 0)
        path[(size_t)length - strlen(DELETED)] = '\0';
    return strdup(path);
}

static ssize_t read_command_line(pid_t pid, char *bytes)
{
    char path[32];
    ssize_t length = -1;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    do length = read(fd, bytes, COMMAND_BYTES_MAX);
    while (length < 0 && errno == EINTR);
    close(fd);
    if (length >= 0) bytes[length] = '\0';
    return length;
}

/* The texts behind argv[0]. */
static char **split(const char *bytes, size_t length)
{
    size_t count = 0, used = 0;
    const char *end = bytes + length;
    char **args;

    for (const char *at = bytes; at < end; at += strlen(at) + 1) count++;
    args = calloc(count + 1, sizeof *args);
    if (!args) return NULL;
    for (const char *at = bytes + strlen(bytes) + 1; at < end; at += strlen(at) + 1) {
        args[used] = strdup(at);
        if (args[used++]) continue;
        rpctl_marked_free_args(args);
        return NULL;
    }
    return args;
}

void rpctl_marked_free_args(char **args)
{
    for (size_t i = 0; args && args[i]; i++) free(args[i]);
    free(args);
}

int rpctl_marked_command(pid_t pid, char **ret_binary, char ***ret_args)
{
    char *bytes = malloc(COMMAND_BYTES_MAX + 1);
    ssize_t length = bytes ? read_command_line(pid, bytes) : -1;
    char *binary = read_executable(pid);
    char **args = length > 0 ? split(bytes, (size_t)length) : NULL;

    free(bytes);
    if (binary && args) {
        *ret_binary = binary;
        *ret_args = args;
        return 0;
    }
    free(binary);
    rpctl_marked_free_args(args);
    return length <= 0 ? -ESRCH : -ENOMEM;
}
