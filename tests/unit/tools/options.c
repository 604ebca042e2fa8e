#include "load/options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <string.h>

#define WORDS_MAX 12

static struct load_options options;

/* getopt keeps a place in argv between calls; 0 makes it begin anew. */
static int parse(const char *const words[])
{
    char *argv[WORDS_MAX + 2] = {(char *)"rp-load"};
    int argc = 1;
    for (; words[argc - 1]; argc++) argv[argc] = (char *)words[argc - 1];
    optind = 0;
    return load_options_parse(&options, argc, argv);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

Test(options, defaults)
{
    cr_assert_eq(PARSE("--connect", "127.0.0.9:8000", "--fresh", "1"), 0);
    cr_assert_eq(options.target_count, 1);
    cr_assert(options.targets[0].loopback_v4);
    cr_assert_eq(options.clients[LOAD_FRESH], 1);
    cr_assert_eq(options.clients[LOAD_KEEP_ALIVE], 0);
    cr_assert_eq(options.timeout_ms, 5000);
    cr_assert_eq(options.think_min_ms, 0);
    cr_assert_eq(options.think_max_ms, 20);
    cr_assert_eq(options.duration_ms, 0);
    cr_assert_str_eq(options.path, "/");
    cr_assert_not(options.json);
}

Test(options, all)
{
    cr_assert_eq(PARSE("--connect", "[::1]:80", "--connect=10.0.0.1:81", "--keep-alive=3", "--think=5-7ms",
                       "--timeout=300ms", "--duration=2s", "--path=/x", "--sources=9", "--json"),
                 0);
    cr_assert_eq(options.target_count, 2);
    cr_assert_eq(options.targets[0].address.ss_family, AF_INET6);
    cr_assert_not(options.targets[0].loopback_v4);
    cr_assert_not(options.targets[1].loopback_v4);
    cr_assert_eq(options.clients[LOAD_KEEP_ALIVE], 3);
    cr_assert_eq(options.timeout_ms, 300);
    cr_assert_eq(options.duration_ms, 2000);
    cr_assert_eq(options.think_min_ms, 5);
    cr_assert_eq(options.think_max_ms, 7);
    cr_assert_eq(options.sources, 9);
    cr_assert(options.json);
    cr_assert_not_null(strstr(options.targets[1].request[LOAD_KEEP_ALIVE], "GET /x HTTP/1.1\r\n"));
    cr_assert_not_null(strstr(options.targets[1].request[LOAD_FRESH], "\r\nConnection: close\r\n"));
}

Test(options, help)
{
    cr_assert_eq(PARSE("--help"), 0);
    cr_assert(options.help);
}

Test(options, bad)
{
    static const char *const bad[][6] = {
        {"--fresh", "1"},
        {"--connect", "127.0.0.1:80"},
        {"--connect", "127.0.0.1:80", "--fresh", "1", "word"},
        {"--connect", "127.0.0.1:80", "--fresh", "x"},
        {"--connect", "127.0.0.1:80", "--fresh", "-1"},
        {"--connect", "127.0.0.1:80", "--fresh", "5000"},
        {"--connect", "127.0.0.1", "--fresh", "1"},
        {"--connect", ":80", "--fresh", "1"},
        {"--connect", "localhost:80", "--fresh", "1"},
        {"--connect", "[]:80", "--fresh", "1"},
        {"--connect", "127.0.0.1:http", "--fresh", "1"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--timeout", "5"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--timeout", "s"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--timeout", "5sec"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--timeout", "99999999999s"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--think", "5ms"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--think", "7-5ms"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--think", "5-7"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--sources", "0"},
        {"--connect", "127.0.0.1:80", "--fresh=1", "--path", "x"},
        {"--unknown"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(parse(bad[i]), -EINVAL, "taken: %s %s", bad[i][0], bad[i][1] ? bad[i][1] : "");
}
