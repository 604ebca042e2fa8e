#include "pure/bind_reason.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct rp_address parse(const char *text)
{
    struct rp_address address;
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0, "%s", text);
    return address;
}

/* Lines as Linux writes them on a little-endian machine. */
#define LINE(address, state, uid, inode)                                                                     \
    "   0: " address " 00000000:0000 " state " 00000000:00000000 00:00000000 00000000 " uid                  \
    "        0 " inode " 1 ffff8880 100 0 0 10 0\n"
#define ANY_8000    "00000000:1F40"
#define LO_8000     "0100007F:1F40"
#define V6_ANY_8000 "00000000000000000000000000000000:1F40"
#define V6_ONE_8000 "00000000000000000000000001000000:1F40"

Test(port_holder, lines)
{
    static const struct {
        const char *line, *address;
        int family;
        bool hit;
    } rows[] = {
        {LINE(ANY_8000, "0A", "1000", "77"), "0.0.0.0:8000", AF_INET, true},
        {LINE(ANY_8000, "0A", "1000", "77"), "127.0.0.1:8000", AF_INET, true},
        {LINE(ANY_8000, "0A", "1000", "77"), "[::]:8000", AF_INET, true},
        {LINE(ANY_8000, "0A", "1000", "77"), "[::1]:8000", AF_INET, false},
        {LINE(ANY_8000, "0A", "1000", "77"), "0.0.0.0:8001", AF_INET, false},
        {LINE(LO_8000, "0A", "1000", "77"), "127.0.0.1:8000", AF_INET, true},
        {LINE(LO_8000, "0A", "1000", "77"), "0.0.0.0:8000", AF_INET, true},
        {LINE(LO_8000, "0A", "1000", "77"), "127.0.0.2:8000", AF_INET, false},
        {LINE(V6_ANY_8000, "0A", "1000", "77"), "127.0.0.1:8000", AF_INET6, true},
        {LINE(V6_ANY_8000, "0A", "1000", "77"), "[::]:8000", AF_INET6, true},
        {LINE(V6_ANY_8000, "0A", "1000", "77"), "[::]:8000/v6only", AF_INET6, true},
        {LINE(V6_ONE_8000, "0A", "1000", "77"), "[::1]:8000", AF_INET6, true},
        {LINE(V6_ONE_8000, "0A", "1000", "77"), "[::2]:8000", AF_INET6, false},
        {LINE(V6_ONE_8000, "0A", "1000", "77"), "127.0.0.1:8000", AF_INET6, false},
        {LINE(V6_ONE_8000, "0A", "1000", "77"), "[::1]:8000", AF_INET, false},
        {LINE(ANY_8000, "0A", "1000", "77"), "0.0.0.0:8000", AF_INET6, false},
        {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
         "0.0.0.0:8000", AF_INET, false},
        {"", "0.0.0.0:8000", AF_INET, false},
        {"   0: " ANY_8000 " 00000000:0000 0A", "0.0.0.0:8000", AF_INET, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_address address = parse(rows[i].address);
        struct rp_port_holder holder = {0};
        bool hit = rp_port_holder_parse_line(&holder, rows[i].line, rows[i].family, &address);
        cr_assert_eq(hit, rows[i].hit, "row %zu", i);
        cr_assert_eq(holder.found, rows[i].hit);
        if (!hit) continue;
        cr_assert(holder.listening);
        cr_assert_eq(holder.uid, 1000);
        cr_assert_eq(holder.inode, 77);
    }
}

Test(port_holder, a_connection_is_no_listener)
{
    struct rp_address address = parse("127.0.0.1:8000");
    struct rp_port_holder holder;
    cr_assert(rp_port_holder_parse_line(&holder, LINE(LO_8000, "01", "0", "0"), AF_INET, &address));
    cr_assert_not(holder.listening);
    cr_assert_eq(holder.inode, 0);
}

Test(port_holder, connections_are_told_from_listeners)
{
    cr_assert(rp_port_holder_is_connection_line(LINE(LO_8000, "01", "0", "0")));
    cr_assert(rp_port_holder_is_connection_line(LINE(V6_ONE_8000, "06", "0", "0")));
    cr_assert_not(rp_port_holder_is_connection_line(LINE(LO_8000, "0A", "0", "77")));
    cr_assert_not(rp_port_holder_is_connection_line(LINE(V6_ANY_8000, "0A", "0", "77")));
    cr_assert_not(rp_port_holder_is_connection_line("  sl  local_address rem_address   st tx_queue\n"));
}

Test(port_holder, who_would_lose_connections)
{
    static const struct {
        const char *line, *address;
        int family;
        bool would;
    } rows[] = {
        {LINE(LO_8000, "0A", "0", "77"), "127.0.0.1:8000", AF_INET, true},
        {LINE(ANY_8000, "0A", "0", "77"), "0.0.0.0:8000", AF_INET, true},
        {LINE(ANY_8000, "0A", "0", "77"), "127.0.0.1:8000", AF_INET, true},
        {LINE(LO_8000, "0A", "0", "77"), "0.0.0.0:8000", AF_INET, false},
        {LINE(LO_8000, "01", "0", "0"), "127.0.0.1:8000", AF_INET, false},
        {LINE(V6_ONE_8000, "0A", "0", "77"), "[::1]:8000", AF_INET6, true},
        {LINE(V6_ANY_8000, "0A", "0", "77"), "[::]:8000", AF_INET6, true},
        {LINE(V6_ANY_8000, "0A", "0", "77"), "[::]:8000/v6only", AF_INET6, true},
        {LINE(V6_ANY_8000, "0A", "0", "77"), "0.0.0.0:8000", AF_INET6, false}, /* it may be v6only */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rp_address address = parse(rows[i].address);
        struct rp_port_holder holder;
        cr_assert(rp_port_holder_parse_line(&holder, rows[i].line, rows[i].family, &address), "%zu", i);
        cr_assert_eq(rp_port_holder_would_lose(&holder, &address), rows[i].would, "%zu", i);
    }
}

Test(port_holder, the_surest_explanation_wins)
{
    const struct rp_port_holder order[] = {
        {.found = false},
        {.found = true, .listening = false, .uid = 7},
        {.found = true, .listening = true, .uid = 1000},
        {.found = true, .listening = true, .uid = 7},
    };
    for (size_t a = 0; a < 4; a++) {
        for (size_t b = 0; b < 4; b++)
            cr_assert_eq(rp_port_holder_is_better(&order[a], &order[b], 1000), a > b, "%zu %zu", a, b);
    }
}

struct row {
    struct rp_bind_facts facts;
    const char *words[3];
};

static const struct row rows[] = {
    {{.code = -EADDRINUSE}, {"socket without SO_REUSEPORT or of another user", "stop that program"}},
    {{.code = -EADDRINUSE, .holder = {.found = true, .listening = true, .uid = 33}, .own_uid = 1000},
     {"held by user 33;", "must belong to one user", "run as that user"}},
    {{.code = -EADDRINUSE,
      .holder = {.found = true, .listening = true, .uid = 33, .pid = 4},
      .own_uid = 1000},
     {"held by user 33 (pid 4);"}},
    {{.code = -EADDRINUSE, .holder = {.found = true, .listening = true, .uid = 1000}, .own_uid = 1000},
     {"by a socket without SO_REUSEPORT:", "stop that program first"}},
    {{.code = -EADDRINUSE,
      .holder = {.found = true, .listening = true, .uid = 1000, .pid = 4711},
      .own_uid = 1000},
     {"by a socket without SO_REUSEPORT (pid 4711):"}},
    {{.code = -EADDRINUSE, .holder = {.found = true}},
     {"by a connection of another program;", "wait a minute"}},
    {{.code = -EADDRINUSE, .holder = {.found = true, .pid = 9}},
     {"by a connection of another program (pid 9);"}},
    {{.code = -EACCES, .unprivileged_port_start = 65535},
     {"ports below 65535 need a privilege", "net.ipv4.ip_unprivileged_port_start=8000",
      "CAP_NET_BIND_SERVICE"}},
    {{.code = -EACCES, .unprivileged_port_start = -1},
     {"ports below a limit", "ip_unprivileged_port_start=8000"}},
    {{.code = -EACCES, .unprivileged_port_start = 8000}, {"security policy"}},
    {{.code = -EADDRNOTAVAIL}, {"no interface of this machine has that address", "ip address"}},
    {{.code = -ENODEV}, {"no such interface"}},
    {{.code = -EAFNOSUPPORT}, {"IPv6 switched off", "IPv4 address"}},
    {{.code = -EMFILE}, {"too many open files", "ulimit -n"}},
    {{.code = -ENFILE}, {"too many open files", "fs.file-max"}},
    {{.code = -ENOPROTOOPT}, {"no SO_REUSEPORT"}},
    {{.code = -ENOBUFS}, {"No buffer space"}},
};

Test(bind_reason, each_says_what_and_what_to_do)
{
    struct rp_address address = parse("127.0.0.1:8000");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_bind_facts facts = rows[i].facts;
        struct rp_error error = {0};
        facts.address = &address;
        cr_assert_eq(rp_bind_reason(&facts, &error), facts.code);
        cr_assert_eq(error.code, facts.code);
        cr_assert_eq(strncmp(error.message, "cannot listen on 127.0.0.1:8000: ", 33), 0, "%s", error.message);
        for (size_t k = 0; k < 3 && rows[i].words[k] != NULL; k++)
            cr_assert(strstr(error.message, rows[i].words[k]) != NULL, "row %zu: %s", i, error.message);
    }
}

Test(bind_reason, no_message_is_cut)
{
    struct rp_address address = parse("[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_bind_facts facts = rows[i].facts;
        struct rp_error error = {0};
        facts.address = &address;
        if (facts.holder.pid != 0) facts.holder.pid = 4194304;
        if (facts.holder.uid != facts.own_uid) facts.holder.uid = 4294967294u;
        rp_bind_reason(&facts, &error);
        cr_assert_lt(strlen(error.message), sizeof error.message - 1, "row %zu: %s", i, error.message);
    }
}
