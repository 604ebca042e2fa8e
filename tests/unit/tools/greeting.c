#include "load/greeting.h"

#include <criterion/criterion.h>
#include <string.h>

static bool parse(const char *text, struct load_greeting *greeting)
{
    return load_greeting_parse(greeting, text, strlen(text));
}

Test(greeting, is_read)
{
    struct load_greeting greeting;
    cr_assert(parse("Client [127.0.0.1:49152] Received msg from Server PID: [4711]", &greeting));
    cr_assert_eq(greeting.client_port, 49152);
    cr_assert_eq(greeting.pid, 4711);
    cr_assert(parse("Client [127.0.0.1:1] Received msg from Server PID: [2147483647]\n", &greeting));
    cr_assert_eq(greeting.client_port, 1);
    cr_assert_eq(greeting.pid, 2147483647);
}

Test(greeting, of_ipv6)
{
    struct load_greeting greeting;
    cr_assert(parse("Client [[::1]:65535] Received msg from Server PID: [1]", &greeting));
    cr_assert_eq(greeting.client_port, 65535);
    cr_assert(parse("Client [::ffff:127.0.0.1:80] Received msg from Server PID: [1]", &greeting));
    cr_assert_eq(greeting.client_port, 80);
}

Test(greeting, every_shorter_text_is_refused)
{
    static const char text[] = "Client [127.0.0.1:49152] Received msg from Server PID: [4711]";
    struct load_greeting greeting;
    for (size_t size = 0; size < strlen(text); size++)
        cr_assert_not(load_greeting_parse(&greeting, text, size));
}

Test(greeting, anything_else_is_refused)
{
    static const char *const bad[] = {
        "client [127.0.0.1:1] Received msg from Server PID: [1]",
        "Client [127.0.0.1:1] Received msg from Server PID: [1] ",
        "Client [127.0.0.1:1] Received msg from Server PID: [1]\n\n",
        "Client [127.0.0.1:1] Received msg from Server PID: []",
        "Client [127.0.0.1:1] Received msg from Server PID: [0]",
        "Client [127.0.0.1:1] Received msg from Server PID: [-1]",
        "Client [127.0.0.1:1] Received msg from Server PID: [2147483648]",
        "Client [127.0.0.1:1] Received msg from Server PID: [12345678901]",
        "Client [127.0.0.1:0] Received msg from Server PID: [1]",
        "Client [127.0.0.1:65536] Received msg from Server PID: [1]",
        "Client [127.0.0.1:1x] Received msg from Server PID: [1]",
        "Client [127.0.0.1:] Received msg from Server PID: [1]",
        "Client [127.0.0.1] Received msg from Server PID: [1]",
        "Client [:1] Received msg from Server PID: [1]",
        "Client [] Received msg from Server PID: [1]",
    };
    struct load_greeting greeting;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(parse(bad[i], &greeting), "%s", bad[i]);
}
