#include "pure/options.h"

#include "pure/server_options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 80

static struct rp_server_options options;
static struct rp_error error;

static int parse(int count, const char *const arguments[])
{
    char *argv[ARGUMENTS_MAX];
    char copies[ARGUMENTS_MAX][64] = {"program"};
    argv[0] = copies[0];
    for (int i = 0; i < count; i++) {
        snprintf(copies[i + 1], sizeof copies[i + 1], "%s", arguments[i]);
        argv[i + 1] = copies[i + 1];
    }
    rp_server_options_init(&options);
    const struct rp_option_group group = rp_server_options_group(&options);
    return rp_options_parse(&group, 1, count + 1, argv, &error);
}

#define PARSE(...)                                                                                           \
    parse((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__})

static void refused(int result, const char *word)
{
    cr_assert_eq(result, -EINVAL, "%s", word);
    cr_assert_not_null(strstr(error.message, word), "%s is not in: %s", word, error.message);
}

Test(options, defaults)
{
    struct rp_server_config config;
    char text[RP_ADDRESS_TEXT_BYTES];
    cr_assert_eq(parse(0, NULL), 0);
    rp_server_config_init(&config);
    rp_server_options_apply(&options, &config);
    cr_assert_eq(config.address_count, 1u);
    rp_address_format(&config.addresses[0], text);
    cr_assert_str_eq(text, "127.0.0.1:8000");
    cr_assert_eq(config.workers, RP_WORKERS_AUTO);
    cr_assert_eq(config.drain_timeout_ms, RP_MS_UNSET);
    cr_assert_eq(config.idle_grace_ms, RP_MS_UNSET);
    cr_assert_eq(config.limits.idle_timeout_ms, RP_IDLE_TIMEOUT_MS_DEFAULT);
    cr_assert_eq(config.limits.head_timeout_ms, RP_HEAD_TIMEOUT_MS_DEFAULT);
    cr_assert_eq(config.limits.body_timeout_ms, RP_BODY_TIMEOUT_MS_DEFAULT);
    cr_assert_eq(config.limits.write_timeout_ms, RP_WRITE_TIMEOUT_MS_DEFAULT);
    cr_assert_eq(config.limits.connections, RP_CONNECTIONS_DEFAULT);
    cr_assert_eq(config.limits.connections_per_address, RP_ADDRESS_CONNECTIONS_DEFAULT);
}

Test(options, all)
{
    struct rp_server_config config;
    cr_assert_eq(PARSE("--listen", "0.0.0.0:1", "--listen=[::1]:2", "--workers", "3", "--drain-timeout=5s",
                       "--idle-grace", "0", "--idle-timeout", "1m", "--help", "--version"),
                 0, "%s", error.message);
    rp_server_config_init(&config);
    rp_server_options_apply(&options, &config);
    cr_assert_eq(config.address_count, 2u);
    cr_assert_eq(config.workers, 3u);
    cr_assert_eq(config.drain_timeout_ms, 5000u);
    cr_assert_eq(config.idle_grace_ms, 0u);
    cr_assert_eq(config.limits.idle_timeout_ms, 60000u);
    cr_assert(options.help);
    cr_assert(options.version);
    cr_assert_eq(PARSE("--workers", "auto"), 0);
    cr_assert_eq(options.workers, RP_WORKERS_AUTO);
}

Test(options, limits)
{
    struct rp_server_config config;
    cr_assert_eq(PARSE("--head-timeout", "1s", "--body-timeout", "2s", "--write-timeout", "3s",
                       "--connections", "4", "--connections-per-address", "5"),
                 0, "%s", error.message);
    rp_server_config_init(&config);
    rp_server_options_apply(&options, &config);
    cr_assert_eq(config.limits.head_timeout_ms, 1000u);
    cr_assert_eq(config.limits.body_timeout_ms, 2000u);
    cr_assert_eq(config.limits.write_timeout_ms, 3000u);
    cr_assert_eq(config.limits.connections, 4u);
    cr_assert_eq(config.limits.connections_per_address, 5u);
}

Test(options, bad)
{
    refused(PARSE("--head-timeout", "0"), "--head-timeout");
    refused(PARSE("--body-timeout", "1"), "--body-timeout");
    refused(PARSE("--write-timeout", "-1s"), "--write-timeout");
    refused(PARSE("--connections", "0"), "--connections");
    refused(PARSE("--connections", "1000000001"), "--connections");
    refused(PARSE("--connections", "99999999999999999999"), "--connections");
    refused(PARSE("--connections-per-address", "-1"), "--connections-per-address");
    refused(PARSE("--connections-per-address", "5x"), "--connections-per-address");

    refused(PARSE("--nope"), "--nope");
    refused(PARSE("--list", "127.0.0.1:1"), "--list");
    refused(PARSE("file"), "file");
    refused(PARSE("-h"), "-h");
    refused(PARSE("--help=yes"), "--help");
    refused(PARSE("--listen"), "ADDR:PORT");
    refused(PARSE("--listen", "nonsense"), "--listen");
    refused(PARSE("--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"), "twice");
    refused(PARSE("--workers", "0"), "--workers");
    refused(PARSE("--workers", "129"), "--workers");
    refused(PARSE("--workers", "-1"), "--workers");
    refused(PARSE("--workers", "2x"), "--workers");
    refused(PARSE("--workers="), "--workers");
    refused(PARSE("--idle-grace", "soon"), "--idle-grace");
    refused(PARSE("--idle-timeout", "0"), "--idle-timeout");
    refused(PARSE("--drain-timeout", "5"), "--drain-timeout");
    cr_assert_eq(PARSE("--drain-timeout", "25h"), -ERANGE);
}

Test(options, too_many_addresses)
{
    const char *arguments[RP_ADDRESS_LIST_MAX + 1];
    for (size_t i = 0; i < RP_ADDRESS_LIST_MAX + 1; i++) arguments[i] = "--listen=127.0.0.1:0";
    cr_assert_eq(parse(RP_ADDRESS_LIST_MAX, arguments), 0);
    refused(parse(RP_ADDRESS_LIST_MAX + 1, arguments), "at most");
}

Test(options, help_lists_every_option_and_is_cut_off)
{
    char text[4096], small[64];
    rp_server_options_init(&options);
    struct rp_option_group groups[2] = {rp_server_options_group(&options), rp_server_options_group(&options)};
    groups[1].title = "Title:";
    rp_options_help(groups, 2, text, sizeof text);
    cr_assert_not_null(strstr(text, "\nTitle:\n"));
    for (size_t i = 0; i < groups[0].count; i++) {
        cr_assert_not_null(strstr(text, groups[0].options[i].name));
        cr_assert_not_null(strstr(text, groups[0].options[i].help));
    }
    rp_options_help(groups, 2, small, sizeof small);
    cr_assert_eq(strlen(small), sizeof small - 1);
    cr_assert_arr_eq(small, text, sizeof small - 1);
}
