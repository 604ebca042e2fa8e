#include "linux/reuseport.h"

#include "linux/cpu_visit.h"

#include <assert.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Since Linux 5.3; not in every libc's headers. */
#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

int rpctl_reuseport_attach(int fd, const struct sock_filter *code, size_t length, struct rp_error *error)
{
    /* The kernel copies the program; its interface merely lacks the const. */
    union {
        const struct sock_filter *in;
        struct sock_filter *out;
    } filter = {.in = code};
    struct sock_fprog program = {.len = (unsigned short)length, .filter = filter.out};

    assert(length > 0 && length <= BPF_MAXINSNS);
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0) return 0;
    if (errno == ENOMEM)
        return rp_error_set(
            error, -ENOMEM,
            "cannot attach a steering program of %zu instructions: net.core.optmem_max is too "
            "small for it: raise it, or use fewer listeners",
            length);
    return rp_error_set(error, -errno, "cannot attach the steering program: %s", strerror(errno));
}

int rpctl_reuseport_detach(int fd, struct rp_error *error)
{
    int unused = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof(unused)) == 0) return 0;
    if (errno == ENOENT) return 0;
    return rp_error_set(error, -errno, "cannot detach the steering program: %s", strerror(errno));
}

int rpctl_reuseport_settle(struct rp_error *error)
{
    /* The group is read, and its program run, inside rcu_read_lock(); MEMBARRIER_CMD_GLOBAL is
     * synchronize_rcu(). On a machine with one CPU it returns at once, and rightly so: we run, so no softirq
     * does. It is missing where nohz_full is in use (EINVAL), in old kernels and under some seccomp profiles
     * (ENOSYS, EPERM). */
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return 0;
    return rpctl_cpu_visit_all(error);
}
