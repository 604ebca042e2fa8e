#include "linux/bind_error.h"
#include "linux/socket_holders.h"
#include "pure/bind_reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

static bool take_first(int pid, void *data)
{
    *(int *)data = pid;
    return true;
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
        if (facts.holder.found) rp_socket_holders_find(facts.holder.inode, take_first, &facts.holder.pid);
    }
    return rp_bind_reason(&facts, error);
}
