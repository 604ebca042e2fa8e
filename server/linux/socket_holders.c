#include "linux/socket_holders.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_socket(const char *pid, const char *wanted)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    DIR *directory = opendir(path);
    if (directory == NULL) return false;
    bool found = false;
    const struct dirent *entry;
    while (!found && (entry = readdir(directory)) != NULL) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    closedir(directory);
    return found;
}

void rp_socket_holders_find(unsigned long inode, bool (*visit)(int pid, void *data), void *data)
{
    char wanted[64];
    DIR *directory = inode == 0 ? NULL : opendir("/proc");
    if (directory == NULL) return;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    bool over = false;
    const struct dirent *entry;
    while (!over && (entry = readdir(directory)) != NULL) {
        bool is_process = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (is_process && has_socket(entry->d_name, wanted))
            over = visit((int)strtol(entry->d_name, NULL, 10), data);
    }
    closedir(directory);
}
