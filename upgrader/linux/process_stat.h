/* /proc/PID/stat: the few numbers of a process that we need. */
#ifndef RPCTL_PROCESS_STAT_H
#define RPCTL_PROCESS_STAT_H

#include <stdint.h>
#include <sys/types.h>

struct rpctl_process_stat {
    pid_t pid;
    char state; /* 'R', 'S', …, 'Z' for a zombie */
    pid_t parent;
    pid_t session;
    uint64_t start_time; /* clock ticks since boot */
};

/* -ESRCH when there is no such process; -EPROTO when the kernel's text is not what proc(5) says. */
int rpctl_process_stat_read(pid_t pid, struct rpctl_process_stat *ret_stat);

/* Parses the text of such a file; terminated. The name of a program may have blanks, parentheses and line
 * ends. Pure. -EPROTO. */
int rpctl_process_stat_parse(const char *text, struct rpctl_process_stat *ret_stat);

#endif
