#include "linux/bind_error.h"
#include "pure/bind_reason.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void look_in(struct rp_port_holder *best, const char *path, int family,
                    const struct rp_bind_facts *facts)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        struct rp_port_holder holder;
        if (!rp_port_holder_parse_line(&holder, line, family, facts->address)) continue;
        if (rp_port_holder_is_better(&holder, best, facts->own_uid)) *best = holder;
    }
    fclose(file);
}

/* /proc/PID/fd can be read for processes of the same user only; of all others nothing is said. */
static bool has_socket(const char *pid, unsigned long inode)
{
    char path[64], wanted[64], target[64];
    snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
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

static int find_pid(unsigned long inode)
{
    DIR *directory = inode == 0 ? NULL : opendir("/proc");
    if (directory == NULL) return 0;
    int pid = 0;
    const struct dirent *entry;
    while (pid == 0 && (entry = readdir(directory)) != NULL) {
        bool is_process = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (is_process && has_socket(entry->d_name, inode)) pid = (int)strtol(entry->d_name, NULL, 10);
    }
    closedir(directory);
    return pid;
}

static int read_unprivileged_port_start(void)
{
    int start = -1;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (file == NULL) return -1;
    char line[32] = "";
    if (fgets(line, sizeof line, file) != NULL) start = (int)strtol(line, NULL, 10);
    fclose(file);
    return start;
}

int rp_bind_error(const struct rp_address *address, int code, struct rp_error *error)
{
    struct rp_bind_facts facts = {.address = address, .code = code, .unprivileged_port_start = -1};
    if (error == NULL) return code;
    facts.own_uid = geteuid();
    if (code == -EACCES) facts.unprivileged_port_start = read_unprivileged_port_start();
    if (code == -EADDRINUSE) {
        look_in(&facts.holder, "/proc/net/tcp", AF_INET, &facts);
        look_in(&facts.holder, "/proc/net/tcp6", AF_INET6, &facts);
        if (facts.holder.found) facts.holder.pid = find_pid(facts.holder.inode);
    }
    return rp_bind_reason(&facts, error);
}
