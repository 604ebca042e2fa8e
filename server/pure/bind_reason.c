#include "pure/bind_reason.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int in_use(const struct rp_bind_facts *facts, const char *address, struct rp_error *error)
{
    const struct rp_port_holder *holder = &facts->holder;
    char process[32] = "";
    if (holder->pid != 0) snprintf(process, sizeof process, " (pid %d)", holder->pid);
    if (!holder->found)
        return rp_error_set(
            error, facts->code,
            "cannot listen on %s: the port is held by a socket without SO_REUSEPORT or of another "
            "user; stop that program first",
            address);
    if (!holder->listening)
        return rp_error_set(
            error, facts->code,
            "cannot listen on %s: the port is held by a connection of another program%s; end it, "
            "wait a minute, or choose another port",
            address, process);
    if (holder->uid != facts->own_uid)
        return rp_error_set(
            error, facts->code,
            "cannot listen on %s: the port is held by user %u%s; all listeners of a port must "
            "belong to one user: run as that user, or stop that program first",
            address, holder->uid, process);
    return rp_error_set(error, facts->code,
                        "cannot listen on %s: the port is held by a socket without SO_REUSEPORT%s: stop that "
                        "program first",
                        address, process);
}

static int no_access(const struct rp_bind_facts *facts, const char *address, struct rp_error *error)
{
    unsigned port = rp_address_port(facts->address);
    int start = facts->unprivileged_port_start;
    if (start >= 0 && port >= (unsigned)start)
        return rp_error_set(
            error, facts->code,
            "cannot listen on %s: a security policy of this machine forbids it (SELinux, AppArmor, "
            "seccomp or a control group); see its log",
            address);
    char limit[32] = "a limit";
    if (start >= 0) snprintf(limit, sizeof limit, "%d", start);
    return rp_error_set(error, facts->code,
                        "cannot listen on %s: ports below %s need a privilege; set sysctl "
                        "net.ipv4.ip_unprivileged_port_start=%u, or give the program CAP_NET_BIND_SERVICE",
                        address, limit, port);
}

static const char *remedy(int code)
{
    switch (-code) {
    case EADDRNOTAVAIL: return "no interface of this machine has that address; `ip address` lists them";
    case ENODEV: return "there is no such interface; `ip link` lists them";
    case EAFNOSUPPORT: return "this machine has IPv6 switched off; listen on an IPv4 address";
    case EMFILE: return "this process has too many open files; raise its limit (ulimit -n, LimitNOFILE=)";
    case ENFILE: return "this machine has too many open files; raise sysctl fs.file-max";
    case ENOPROTOOPT: return "this kernel has no SO_REUSEPORT; Linux 5.6 or newer is needed";
    default: return NULL;
    }
}

int rp_bind_reason(const struct rp_bind_facts *facts, struct rp_error *error)
{
    char address[RP_ADDRESS_TEXT_BYTES];
    rp_address_format(facts->address, address);
    if (facts->code == -EADDRINUSE) return in_use(facts, address, error);
    if (facts->code == -EACCES) return no_access(facts, address, error);
    const char *what = remedy(facts->code);
    return rp_error_set(error, facts->code, "cannot listen on %s: %s", address,
                        what != NULL ? what : strerror(-facts->code));
}
