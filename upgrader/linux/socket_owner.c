#include "linux/socket_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds(int fds, const char *socket_name)
{
    DIR *directory = fdopendir(fds);
    bool found = false;
    struct dirent *entry;

    if (!directory) {
        close(fds);
        return false;
    }
    while (!found && (entry = readdir(directory))) {
        char target[64];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

        if (length < 0) continue;
        target[length] = '\0';
        found = strcmp(target, socket_name) == 0;
    }
    closedir(directory);
    return found;
}

static void read_program(int proc, const char *pid, char program[RPCTL_PROGRAM_NAME_BYTES])
{
    char path[64], target[4096];
    const char *slash;
    ssize_t length;

    snprintf(path, sizeof(path), "%.20s/exe", pid);
    length = readlinkat(proc, path, target, sizeof(target) - 1);
    if (length < 0) {
        snprintf(program, RPCTL_PROGRAM_NAME_BYTES, "?");
        return;
    }
    target[length] = '\0';
    slash = strrchr(target, '/');
    snprintf(program, RPCTL_PROGRAM_NAME_BYTES, "%.*s", RPCTL_PROGRAM_NAME_BYTES - 1,
             slash ? slash + 1 : target);
}

int rpctl_socket_owner_find(uint64_t inode, struct rpctl_socket_owner *ret_owner)
{
    DIR *proc = opendir("/proc");
    char socket_name[32];
    int result = -ENOENT;
    struct dirent *entry;

    if (!proc) return -errno;
    snprintf(socket_name, sizeof(socket_name), "socket:[%" PRIu64 "]", inode);
    while (result != 0 && (entry = readdir(proc))) {
        char path[64];
        long pid = strtol(entry->d_name, NULL, 10);
        int fds;

        if (pid <= 0 || pid == getpid()) continue;
        snprintf(path, sizeof(path), "%ld/fd", pid);
        fds = openat(dirfd(proc), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fds < 0 || !holds(fds, socket_name)) continue;
        ret_owner->pid = (pid_t)pid;
        read_program(dirfd(proc), entry->d_name, ret_owner->program);
        result = 0;
    }
    closedir(proc);
    return result;
}
