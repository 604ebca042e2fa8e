#include "linux/process_environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MAX (256u * 1024)

static int read_all(int fd, char *bytes, size_t *ret_length)
{
    size_t length = 0;

    while (length < BYTES_MAX) {
        ssize_t got = read(fd, bytes + length, BYTES_MAX - length);

        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        length += (size_t)got;
    }
    bytes[length] = '\0';
    *ret_length = length;
    return 0;
}

int rpctl_process_environment_read(pid_t pid, struct rpctl_process_environment *ret_environment)
{
    struct rpctl_process_environment environment = {.entries = malloc(BYTES_MAX + 1)};
    char path[32];
    int fd, result;

    if (!environment.entries) return -ENOMEM;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    result = fd >= 0 ? read_all(fd, environment.entries, &environment.length) : -errno;
    if (fd >= 0) close(fd);
    if (result < 0)
        free(environment.entries);
    else
        *ret_environment = environment;
    /* hidepid= of /proc gives ENOENT or EPERM for what is not ours; proc(5). */
    if (result == -ENOENT) return -ESRCH;
    return result == -EPERM ? -EACCES : result;
}

void rpctl_process_environment_free(struct rpctl_process_environment *environment)
{
    free(environment->entries);
    *environment = (struct rpctl_process_environment){0};
}

const char *rpctl_process_environment_get(const struct rpctl_process_environment *environment,
                                          const char *name)
{
    const char *end = environment->entries + environment->length;
    size_t length = strlen(name);

    for (const char *entry = environment->entries; entry < end; entry += strlen(entry) + 1)
        if (strncmp(entry, name, length) == 0 && entry[length] == '=') return entry + length + 1;
    return NULL;
}
