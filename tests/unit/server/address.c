#include "pure/address_text.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static struct rp_address parse(const char *text)
{
    struct rp_address address;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse(&address, text, &error), 0, "%s: %s", text, error.message);
    return address;
}

Test(address, what_is_parsed_is_written_again)
{
    static const char *const texts[] = {
        "127.0.0.1:8000",      "0.0.0.0:0",
        "255.1.2.3:65535",     "[::1]:8000",
        "[::]:8000",           "[::]:8000/v6only",
        "[2001:db8::1]:1",     "[fe80::1%7]:8000",
        "[::ffff:1.2.3.4]:80", "[fe80:1:2:3:4:5:6:7%4294967295]:65535",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rp_address address = parse(texts[i]);
        char text[RP_ADDRESS_TEXT_BYTES];
        rp_address_format(&address, text);
        cr_assert_str_eq(text, texts[i]);
        struct rp_address again = parse(text);
        cr_assert(rp_address_equal(&address, &again), "%s", text);
    }
}

Test(address, other_spellings_are_the_same_address)
{
    static const char *const pairs[][2] = {
        {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
        {"[2001:DB8::A]:80", "[2001:db8:0::a]:80"},
        {"1.2.3.4:00080", "1.2.3.4:80"},
        {"[fe80::1%007]:80", "[fe80::1%7]:80"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct rp_address a = parse(pairs[i][0]), b = parse(pairs[i][1]);
        cr_assert(rp_address_equal(&a, &b), "%s", pairs[i][0]);
    }
}

Test(address, bad_texts_are_refused_with_a_remedy)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "port is missing"},
        {"8000", "port is missing"},
        {"127.0.0.1", "port is missing"},
        {"::1", "needs brackets"},
        {"::1:8000", "needs brackets"},
        {"1.2.3.4:80:90", "needs brackets"},
        {":8000", "0.0.0.0:8000"},
        {"*:8000", "0.0.0.0:8000"},
        {"localhost:8000", "names are not looked up"},
        {"averyveryverylongname.example:80", "names are not looked up"},
        {"1.2.3:80", "names are not looked up"},
        {"256.0.0.1:80", "names are not looked up"},
        {" 127.0.0.1:80", "names are not looked up"},
        {"127.0.0.1:", "number from 0 to 65535"},
        {"127.0.0.1:65536", "number from 0 to 65535"},
        {"127.0.0.1:99999999999", "number from 0 to 65535"},
        {"127.0.0.1:-1", "number from 0 to 65535"},
        {"127.0.0.1:+1", "number from 0 to 65535"},
        {"127.0.0.1:80 ", "number from 0 to 65535"},
        {"127.0.0.1:http", "number from 0 to 65535"},
        {"127.0.0.1:80/v6only", "number from 0 to 65535"},
        {"224.0.0.1:80", "multicast"},
        {"255.255.255.255:80", "multicast"},
        {"[", "closing bracket"},
        {"[::1:8000", "closing bracket"},
        {"[]:8000", "no IPv6 address"},
        {"[127.0.0.1]:8000", "no IPv6 address"},
        {"[::g]:8000", "no IPv6 address"},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1", "no IPv6 address"},
        {"[ff02::1]:80", "multicast"},
        {"[::1]", "port is missing"},
        {"[::1]8000", "port is missing"},
        {"[::1]:", "number from 0 to 65535"},
        {"[::1]:x", "number from 0 to 65535"},
        {"[::1]:65536", "number from 0 to 65535"},
        {"[::]:/v6only", "number from 0 to 65535"},
        {"[::]:80/", "only /v6only"},
        {"[::]:80/v4only", "only /v6only"},
        {"[::]:80/v6only ", "only /v6only"},
        {"[::1]:80/v6only", "[::] alone"},
        {"[fe80::1]:80", "needs its interface"},
        {"[::1%lo]:80", "only a link-local"},
        {"[::1%]:80", "only a link-local"},
        {"[fe80::1%]:80", "interface behind % is missing"},
        {"[fe80::1%0]:80", "such a name or number"},
        {"[fe80::1%4294967296]:80", "such a name or number"},
        {"[fe80::1%99999999999]:80", "such a name or number"},
        {"[fe80::1%abcdefghijklmnop]:80", "such a name or number"},
        {"[fe80::1%no-such-if]:80", "no interface is called no-such-if"},
    };
    const struct rp_address before = parse("[::]:4711/v6only");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_error error = {0};
        struct rp_address address = before;
        cr_assert_eq(rp_address_parse(&address, rows[i].text, &error), -EINVAL, "%s", rows[i].text);
        cr_assert_eq(error.code, -EINVAL);
        cr_assert(strstr(error.message, rows[i].reason) != NULL, "%s -> %s", rows[i].text, error.message);
        cr_assert(strstr(error.message, "bad address \"") != NULL, "%s", error.message);
        cr_assert(rp_address_equal(&address, &before) && address.length == before.length, "%s", rows[i].text);
        cr_assert_eq(rp_address_parse(&address, rows[i].text, NULL), -EINVAL);
    }
}

Test(address, an_interface_name_is_looked_up)
{
    char name[IF_NAMESIZE], text[64];
    cr_assert_neq(if_indextoname(1, name), NULL);
    snprintf(text, sizeof text, "[fe80::1%%%s]:80", name);
    struct rp_address by_name = parse(text), by_number = parse("[fe80::1%1]:80");
    cr_assert(rp_address_equal(&by_name, &by_number));
}

Test(address, the_numeric_form_takes_no_interface_name)
{
    struct rp_address address;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_text_parse_numeric(&address, "[fe80::1%lo]:80", &error), -EINVAL);
    cr_assert(strstr(error.message, "by its number") != NULL, "%s", error.message);
    cr_assert_eq(rp_address_text_parse_numeric(&address, "x", &error), -EINVAL);
    cr_assert_eq(rp_address_text_parse_numeric(&address, "[fe80::1%3]:80", &error), 0);
}

Test(address, equality)
{
    static const char *const texts[] = {
        "127.0.0.1:80",          "127.0.0.1:81", "127.0.0.2:80", "0.0.0.0:80",     "[::]:80",
        "[::]:80/v6only",        "[::1]:80",     "[::1]:81",     "[fe80::1%2]:80", "[fe80::1%3]:80",
        "[::ffff:127.0.0.1]:80",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            struct rp_address a = parse(texts[i]), b = parse(texts[k]);
            cr_assert_eq(rp_address_equal(&a, &b), i == k, "%s %s", texts[i], texts[k]);
        }
    }
}

Test(address, v6only_counts_for_the_wildcard_alone)
{
    struct rp_address a = parse("[::1]:80"), b = a;
    b.v6only = true;
    cr_assert(rp_address_equal(&a, &b));
    char text[RP_ADDRESS_TEXT_BYTES];
    rp_address_format(&b, text);
    cr_assert_str_eq(text, "[::1]:80");
}

Test(address, wildcards)
{
    static const struct {
        const char *text;
        bool wildcard;
    } rows[] = {
        {"0.0.0.0:80", true},
        {"[::]:80", true},
        {"[::]:80/v6only", true},
        {"[::ffff:0.0.0.0]:80", true},
        {"127.0.0.1:80", false},
        {"[::1]:80", false},
        {"[::ffff:127.0.0.1]:80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_address address = parse(rows[i].text);
        cr_assert_eq(rp_address_is_wildcard(&address), rows[i].wildcard, "%s", rows[i].text);
    }
}

Test(address, ports)
{
    static const char *const texts[] = {"127.0.0.1:80", "[::1]:80"};
    for (size_t i = 0; i < 2; i++) {
        struct rp_address address = parse(texts[i]);
        cr_assert_eq(rp_address_port(&address), 80);
        rp_address_set_port(&address, 65535);
        cr_assert_eq(rp_address_port(&address), 65535);
    }
}

Test(address, another_family_harms_nothing)
{
    struct rp_address other = {.length = sizeof(struct sockaddr_un)}, v4 = parse("127.0.0.1:80");
    char text[RP_ADDRESS_TEXT_BYTES];
    other.storage.ss_family = AF_UNIX;
    rp_address_format(&other, text);
    cr_assert_str_eq(text, "(address family 1)");
    rp_address_set_port(&other, 80);
    cr_assert_eq(rp_address_port(&other), 0);
    cr_assert_not(rp_address_is_wildcard(&other));
    cr_assert_not(rp_address_equal(&other, &other));
    cr_assert_not(rp_address_equal(&other, &v4));
    cr_assert_not(rp_address_shadows(&other, &v4));
    cr_assert_not(rp_address_shadows(&v4, &other));
}

/* What the kernel cannot be asked on this machine; the rest is in address_shadows.c. */
Test(address, other_ports_and_other_hosts_do_not_shadow)
{
    static const char *const pairs[][2] = {
        {"127.0.0.1:80", "0.0.0.0:81"},
        {"127.0.0.1:80", "127.0.0.2:80"},
        {"[::1]:80", "[::2]:80"},
        {"[::1]:80", "[::]:81"},
        {"[fe80::1%2]:80", "[fe80::1%3]:80"},
        {"127.0.0.1:80", "127.0.0.1:80"},
        {"127.0.0.1:80", "[::1]:80"},
        {"127.0.0.2:80", "[::ffff:127.0.0.1]:80"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct rp_address a = parse(pairs[i][0]), b = parse(pairs[i][1]);
        cr_assert_not(rp_address_shadows(&a, &b), "%s %s", pairs[i][0], pairs[i][1]);
        cr_assert_not(rp_address_shadows(&b, &a), "%s %s", pairs[i][1], pairs[i][0]);
    }
}

Test(address, lists)
{
    struct rp_address list[3];
    size_t count = 99;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse_list(list, 3, &count, "", &error), 0);
    cr_assert_eq(count, 0);
    cr_assert_eq(rp_address_parse_list(list, 3, &count, "127.0.0.1:80", &error), 0);
    cr_assert_eq(count, 1);
    cr_assert_eq(rp_address_parse_list(list, 3, &count, "127.0.0.1:80 [::]:81/v6only [::1]:82", &error), 0);
    cr_assert_eq(count, 3);
    cr_assert_eq(rp_address_port(&list[0]), 80);
    cr_assert(list[1].v6only);
    cr_assert_eq(rp_address_port(&list[2]), 82);
    cr_assert_eq(rp_address_parse_list(list, 2, &count, "1.1.1.1:1 1.1.1.1:2 1.1.1.1:3", &error), -E2BIG);
    cr_assert_eq(count, 3, "written on success only");
}

Test(address, bad_lists)
{
    static const char *const texts[] = {
        " ",
        " 1.1.1.1:1",
        "1.1.1.1:1 ",
        "1.1.1.1:1  1.1.1.1:2",
        "1.1.1.1:1,1.1.1.1:2",
        "1.1.1.1:1 x",
        "1.1.1.1:1\t1.1.1.1:2",
        "11111111111111111111111111111111111111111111111111111111111111111111111111111111111:1",
    };
    struct rp_address list[4];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rp_error error = {0};
        size_t count = 99;
        cr_assert_eq(rp_address_parse_list(list, 4, &count, texts[i], &error), -EINVAL, "\"%s\"", texts[i]);
        cr_assert_eq(count, 99);
        cr_assert_neq(error.message[0], '\0');
    }
}

Test(address, of_a_socket)
{
    static const char *const texts[] = {"127.0.0.1:0", "0.0.0.0:0",     "[::1]:0",
                                        "[::]:0",      "[::]:0/v6only", "[::ffff:127.0.0.1]:0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rp_address asked = parse(texts[i]), found;
        int v6only = asked.v6only;
        int fd = socket(asked.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (asked.storage.ss_family == AF_INET6)
            cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only), 0);
        cr_assert_eq(bind(fd, (struct sockaddr *)&asked.storage, asked.length), 0);
        cr_assert_eq(rp_address_of_socket(&found, fd, NULL), 0);
        cr_assert_gt(rp_address_port(&found), 0);
        rp_address_set_port(&asked, rp_address_port(&found));
        cr_assert(rp_address_equal(&asked, &found), "%s", texts[i]);
        cr_assert_eq(found.length, asked.length);
        cr_assert_eq(found.v6only, asked.v6only);
        close(fd);
    }
}

Test(address, of_what_is_no_tcp_socket)
{
    struct rp_address address;
    struct rp_error error = {0};
    int unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int pipe_ends[2];
    cr_assert_eq(pipe(pipe_ends), 0);
    cr_assert_eq(rp_address_of_socket(&address, unix_socket, &error), -EAFNOSUPPORT);
    cr_assert(strstr(error.message, "not a TCP socket") != NULL);
    cr_assert_eq(rp_address_of_socket(&address, pipe_ends[0], &error), -ENOTSOCK);
    cr_assert_eq(rp_address_of_socket(&address, -1, &error), -EBADF);
    close(unix_socket);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}
