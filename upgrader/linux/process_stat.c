#include "linux/process_stat.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAT_BYTES 4096

int rpctl_process_stat_parse(const char *text, struct rpctl_process_stat *ret_stat)
{
    int pid, parent, session;
    char state;
    uint64_t start_time;
    /* The name is in parentheses and may hold some itself: the last one ends it. */
    const char *behind_name = strrchr(text, ')');
    if (!behind_name || sscanf(text, "%d (", &pid) != 1) return -EPROTO;
    /* state ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
     * priority nice num_threads itrealvalue starttime */
    int fields = sscanf(behind_name + 1,
                        " %c %d %*d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
                        &state, &parent, &session, &start_time);
    if (fields != 4) return -EPROTO;
    *ret_stat = (struct rpctl_process_stat){pid, state, parent, session, start_time};
    return 0;
}

/* A read on /proc of a process that is just gone gives ESRCH, an open ENOENT. */
static int read_file(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? -ESRCH : -errno;
    ssize_t length = read(fd, text, bytes - 1);
    int code = length < 0 ? -errno : 0;
    close(fd);
    if (code == 0) text[length] = '\0';
    return code;
}

int rpctl_process_stat_read(pid_t pid, struct rpctl_process_stat *ret_stat)
{
    char path[32];
    char text[STAT_BYTES];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int r = read_file(path, text, sizeof text);
    return r < 0 ? r : rpctl_process_stat_parse(text, ret_stat);
}
