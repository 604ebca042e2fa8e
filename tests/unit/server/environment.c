#include "pure/environment.h"
#include "pure/socket_address.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct rp_environment environment;

Test(environment, nothing_is_set)
{
    const struct rp_environment_texts none = {0};
    const struct rp_identity *identity = &environment.identity;
    memset(&environment, 0xa5, sizeof environment);
    cr_assert_eq(rp_environment_parse(&environment, &none, NULL), 0);
    cr_assert_not(identity->supervised);
    cr_assert_str_empty(identity->service);
    cr_assert_eq(identity->generation + identity->instance, 0);
    cr_assert_eq(identity->drain_timeout_ms + identity->idle_grace_ms, 0);
    cr_assert_eq(identity->expected_count, 0);
    cr_assert_not(identity->allow_drop);
}

Test(environment, everything_is_set)
{
    const struct rp_environment_texts texts = {"web", "12",    "3", "127.0.0.1:80 [::]:80/v6only",
                                               "1",   "30000", "0"};
    const struct rp_identity *identity = &environment.identity;
    cr_assert_eq(rp_environment_parse(&environment, &texts, NULL), 0);
    cr_assert(identity->supervised);
    cr_assert_str_eq(identity->service, "web");
    cr_assert_eq(identity->generation, 12);
    cr_assert_eq(identity->instance, 3);
    cr_assert_eq(identity->drain_timeout_ms, 30000);
    cr_assert_eq(identity->idle_grace_ms, 1, "0 says that none was given");
    cr_assert_eq(identity->expected_count, 2);
    cr_assert_eq(rp_address_port(&identity->expected[0]), 80);
    cr_assert(identity->expected[1].v6only);
    cr_assert(identity->allow_drop);
}

Test(environment, the_edges)
{
    char name[RP_SERVICE_NAME_BYTES];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    const struct rp_environment_texts texts = {.service = name,
                                               .generation = "2147483647",
                                               .instance = "0",
                                               .listen = "",
                                               .allow_drop = "0",
                                               .drain_timeout_ms = "1"};
    cr_assert_eq(rp_environment_parse(&environment, &texts, NULL), 0);
    cr_assert_str_eq(environment.identity.service, name);
    cr_assert_eq(environment.identity.generation, 2147483647u);
    cr_assert_eq(environment.identity.expected_count, 0);
    cr_assert_not(environment.identity.allow_drop);
    cr_assert_eq(environment.identity.drain_timeout_ms, 1);
}

static const char *const bad_numbers[] = {"",    " ",          "-1",         "+1",
                                          "1 ",  " 1",         "1x",         "0x1",
                                          "1.0", "2147483648", "4294967296", "99999999999999999999999",
                                          "\n"};

static void expect_bad(const struct rp_environment_texts *texts, const char *variable)
{
    struct rp_error error = {0};
    int result = rp_environment_parse(&environment, texts, &error);
    cr_assert_eq(result, -EINVAL, "%s", variable);
    cr_assert_eq(error.code, -EINVAL);
    cr_assert_eq(strncmp(error.message, "bad ", 4), 0, "%s", error.message);
    cr_assert(strstr(error.message, variable) != NULL, "%s", error.message);
    cr_assert_eq(rp_environment_parse(&environment, texts, NULL), -EINVAL);
}

Test(environment, bad_numbers)
{
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++) {
        const char *bad = bad_numbers[i];
        expect_bad(&(struct rp_environment_texts){.generation = bad}, "RP_GENERATION");
        expect_bad(&(struct rp_environment_texts){.instance = bad}, "RP_INSTANCE");
        expect_bad(&(struct rp_environment_texts){.drain_timeout_ms = bad}, "RP_DRAIN_TIMEOUT_MS");
        expect_bad(&(struct rp_environment_texts){.idle_grace_ms = bad}, "RP_IDLE_GRACE_MS");
    }
}

Test(environment, bad_names_lists_and_flags)
{
    static const char *const names[] = {"", " ", "a b", "a\n", "\x7f", "a\tb"};
    static const char *const lists[] = {"x",
                                        " ",
                                        "127.0.0.1:80  127.0.0.1:81",
                                        "localhost:80",
                                        "[fe80::1%lo]:80",
                                        "127.0.0.1:0",
                                        "127.0.0.1:80 [::1]:0"};
    static const char *const flags[] = {"", "2", "true", "yes", "01", "1 "};
    char name[RP_SERVICE_NAME_BYTES + 1];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    expect_bad(&(struct rp_environment_texts){.service = name}, "RP_SERVICE");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        expect_bad(&(struct rp_environment_texts){.service = names[i]}, "RP_SERVICE");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        expect_bad(&(struct rp_environment_texts){.listen = lists[i]}, "RP_LISTEN");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        expect_bad(&(struct rp_environment_texts){.allow_drop = flags[i]}, "RP_ALLOW_DROP");
}

Test(environment, too_many_expected_addresses)
{
    static const char one[] = " 127.0.0.1:80";
    const size_t bytes = sizeof one - 1;
    char list[(RP_ADDRESS_LIST_MAX + 1) * sizeof one] = "";
    for (size_t i = 0; i <= RP_ADDRESS_LIST_MAX; i++) memcpy(list + i * bytes, one, bytes);
    list[RP_ADDRESS_LIST_MAX * bytes] = '\0';
    const struct rp_environment_texts texts = {.listen = list + 1};
    struct rp_error error = {0};
    cr_assert_eq(rp_environment_parse(&environment, &texts, &error), 0, "%s", error.message);
    cr_assert_eq(environment.identity.expected_count, RP_ADDRESS_LIST_MAX);
    list[RP_ADDRESS_LIST_MAX * bytes] = ' ';
    cr_assert_eq(rp_environment_parse(&environment, &texts, &error), -E2BIG);
    cr_assert(strstr(error.message, "bad RP_LISTEN: more than 64") != NULL, "%s", error.message);
}

Test(environment, listen_fds)
{
    static const struct {
        const char *pid, *fds;
        int result;
        unsigned count;
    } rows[] = {
        {NULL, NULL, 0, 0},      {"42", NULL, 0, 0},       {NULL, "3", 0, 0},        {"42", "3", 0, 3},
        {"42", "0", 0, 0},       {"42", "250", 0, 250},    {"42", "251", -E2BIG, 0}, {"41", "3", 0, 0},
        {"41", "rubbish", 0, 0}, {"", "3", -EINVAL, 0},    {"x", "3", -EINVAL, 0},   {"42 ", "3", -EINVAL, 0},
        {"42", "", -EINVAL, 0},  {"42", "-1", -EINVAL, 0}, {"42", "3x", -EINVAL, 0}, {"-42", "3", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned count = 99;
        struct rp_error error = {0};
        int result = rp_environment_listen_fds(&count, rows[i].pid, rows[i].fds, 42, &error);
        cr_assert_eq(result, rows[i].result, "row %zu", i);
        cr_assert_eq(count, rows[i].count, "row %zu", i);
        cr_assert_eq(strstr(error.message, "LISTEN_") != NULL, result != 0, "row %zu: %s", i, error.message);
    }
}

Test(environment, notify_addresses)
{
    struct sockaddr_un address;
    socklen_t length;
    const socklen_t head = offsetof(struct sockaddr_un, sun_path);
    cr_assert_eq(rp_socket_address_parse_notify(&address, &length, "/run/x", NULL), 0);
    cr_assert_eq(address.sun_family, AF_UNIX);
    cr_assert_str_eq(address.sun_path, "/run/x");
    cr_assert_eq(length, head + 7);
    cr_assert_eq(rp_socket_address_parse_notify(&address, &length, "@x", NULL), 0);
    cr_assert_eq(memcmp(address.sun_path, "\0x", 2), 0);
    cr_assert_eq(length, head + 2);
}

Test(environment, notify_addresses_of_every_length)
{
    char text[200];
    struct sockaddr_un address;
    for (size_t bytes = 2; bytes < sizeof text; bytes++) {
        for (int kind = 0; kind < 2; kind++) {
            struct rp_error error = {0};
            socklen_t length;
            memset(text, 'p', sizeof text);
            text[0] = kind == 0 ? '/' : '@';
            text[bytes] = '\0';
            int result = rp_socket_address_parse_notify(&address, &length, text, &error);
            cr_assert_eq(result, bytes <= 107 ? 0 : -ENAMETOOLONG, "%zu bytes", bytes);
            if (result == 0) cr_assert_leq(length, sizeof address);
        }
    }
}

Test(environment, bad_notify_addresses)
{
    static const char *const texts[] = {"", "/", "@", "run/x", "vsock:2:1", " /run/x"};
    struct sockaddr_un address;
    socklen_t length;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rp_error error = {0};
        cr_assert_eq(rp_socket_address_parse_notify(&address, &length, texts[i], &error), -EINVAL, "%s",
                     texts[i]);
        cr_assert(strstr(error.message, "bad NOTIFY_SOCKET=") != NULL);
    }
}
