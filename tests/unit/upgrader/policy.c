#include "pure/policy.h"
#include "fixture.h"
#include "pure/policy_settings.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

static struct rpctl_policy with(const char *key, const char *value)
{
    struct rpctl_policy policy = rpctl_policy_default;
    struct rp_error error = {0};
    cr_assert_eq(rpctl_policy_set(&policy, key, value, &error), 0, "%s=%s: %s", key, value, error.message);
    return policy;
}

static void refuse(const char *key, const char *value)
{
    struct rpctl_policy policy = rpctl_policy_default;
    struct rp_error error = {0};
    cr_assert_eq(rpctl_policy_set(&policy, key, value, &error), -EINVAL, "%s=%s was taken", key, value);
    cr_assert_eq(memcmp(&policy, &rpctl_policy_default, sizeof policy), 0, "%s=%s changed the policy", key,
                 value);
    cr_assert(strstr(error.message, key) && strstr(error.message, ": take "), "%s", error.message);
    cr_assert_null(strchr(error.message, '\n'));
}

Test(policy, defaults_are_those_of_the_manual)
{
    static const char *const defaults[][2] = {
        {"instances", "1"},           {"health", "auto"},       {"health-count", "3"},
        {"health-interval", "100ms"}, {"ready-timeout", "30s"}, {"bake", "1s"},
        {"quiesce-timeout", "3s"},    {"drain-timeout", "30s"}, {"idle-grace", "2s"},
        {"max-draining", "3"},        {"max-restarts", "10"},   {"wait", "drained"},
        {"stop-signal", "TERM"},      {"witness", "20/s"},      {"allow-drop", "no"},
    };
    size_t count = sizeof defaults / sizeof defaults[0];
    for (size_t i = 0; i < count; i++) {
        char text[RPCTL_POLICY_TEXT_BYTES];
        cr_assert_eq(rpctl_policy_format(&rpctl_policy_default, defaults[i][0], text, sizeof text), 0);
        cr_assert_str_eq(text, defaults[i][1]);
        cr_assert_str_eq(rpctl_policy_keys[i], defaults[i][0]);
    }
    cr_assert_null(rpctl_policy_keys[count]);
}

Test(policy, numbers)
{
    cr_assert_eq(with("instances", "1").instances, 1);
    cr_assert_eq(with("instances", "64").instances, 64);
    cr_assert_eq(with("health-count", "1000").health_count, 1000);
    cr_assert_eq(with("max-draining", "07").max_draining, 7);
    cr_assert_eq(with("max-restarts", "0").max_restarts, 0);
    cr_assert_eq(with("max-restarts", "1000000").max_restarts, 1000000);
    static const char *const bad[] = {
        "", "0", "65", "-1", "+1", "1.5", "1x", " 1", "1 ", "99999999999999999999", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("instances", bad[i]);
    refuse("health-count", "0");
    refuse("health-count", "1001");
    refuse("max-draining", "65");
    refuse("max-restarts", "1000001");
}

Test(policy, durations)
{
    cr_assert_eq(with("bake", "0").bake_ms, 0);
    cr_assert_eq(with("bake", "0s").bake_ms, 0);
    cr_assert_eq(with("bake", "250ms").bake_ms, 250);
    cr_assert_eq(with("bake", "24h").bake_ms, 86400000);
    cr_assert_eq(with("ready-timeout", "2m").ready_timeout_ms, 120000);
    cr_assert_eq(with("health-interval", "1ms").health_interval_ms, 1);
    cr_assert_eq(with("quiesce-timeout", "4s").quiesce_timeout_ms, 4000);
    cr_assert_eq(with("drain-timeout", "5s").drain_timeout_ms, 5000);
    cr_assert_eq(with("idle-grace", "6s").idle_grace_ms, 6000);
    static const char *const bad[] = {"",     "1",     "s",  "1S",  "1 s", "-1s",         "+1s",
                                      "1.5s", "1m30s", "1d", "25h", "1sx", "4294967296ms"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("bake", bad[i]);
    refuse("ready-timeout", "0");
    refuse("health-interval", "0s");
    refuse("health-interval", "2h");
}

Test(policy, health)
{
    char path[400] = "http:/";
    cr_assert_eq(with("health", "tcp").health.kind, RPCTL_HEALTH_TCP);
    cr_assert_eq(with("health", "none").health.kind, RPCTL_HEALTH_NONE);
    struct rpctl_policy http = with("health", "http:/a/b?c=d");
    cr_assert_eq(http.health.kind, RPCTL_HEALTH_HTTP);
    cr_assert_str_eq(http.health.path, "/a/b?c=d");
    cr_assert_eq(rpctl_policy_set(&http, "health", "auto", NULL), 0);
    cr_assert_eq(http.health.kind, RPCTL_HEALTH_AUTO);
    cr_assert_str_eq(http.health.path, "");
    memset(path + 6, 'x', 254); /* 255 with the slash: the longest */
    cr_assert_eq(strlen(with("health", path).health.path), 255);
    path[6 + 254] = 'x';
    refuse("health", path);
    static const char *const bad[] = {"",          "http",       "http:",      "http:x",         "https:/x",
                                      "http:/a b", "http:/a\nb", "http:/\x7f", "http:/\xc3\xbc", "TCP",
                                      "http://x y"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("health", bad[i]);
}

Test(policy, words)
{
    cr_assert_eq(with("wait", "shifted").wait, RPCTL_WAIT_SHIFTED);
    cr_assert_eq(with("wait", "drained").wait, RPCTL_WAIT_DRAINED);
    refuse("wait", "");
    refuse("wait", "Drained");
    cr_assert_eq(with("witness", "off").witness_per_s, 0);
    cr_assert_eq(with("witness", "1/s").witness_per_s, 1);
    cr_assert_eq(with("witness", "1000/s").witness_per_s, 1000);
    static const char *const bad[] = {"",     "0/s",    "1001/s", "20",   "/s",
                                      "20/m", "20/s/s", "x/s",    "-1/s", "20/sx"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("witness", bad[i]);
}

Test(policy, signals)
{
    static const struct {
        const char *name;
        int number;
    } good[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"INT", SIGINT},  {"QUIT", SIGQUIT},
                {"HUP", SIGHUP},   {"SIGUSR1", SIGUSR1}, {"USR2", SIGUSR2}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert_eq(with("stop-signal", good[i].name).stop_signal, good[i].number);
    static const char *const bad[] = {"", "KILL", "term", "15", "SIG", "SIGSIGTERM"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuse("stop-signal", bad[i]);
}

Test(policy, flags)
{
    cr_assert(with("allow-drop", "yes").allow_drop);
    cr_assert(with("allow-drop", "true").allow_drop);
    cr_assert(with("allow-drop", "").allow_drop);
    struct rpctl_policy policy = with("allow-drop", "yes");
    cr_assert_eq(rpctl_policy_set(&policy, "allow-drop", "no", NULL), 0);
    cr_assert_not(policy.allow_drop);
    cr_assert_not(with("allow-drop", "false").allow_drop);
    refuse("allow-drop", "1");
    cr_assert(rpctl_policy_key_is_flag("allow-drop"));
    cr_assert_not(rpctl_policy_key_is_flag("bake"));
    cr_assert_not(rpctl_policy_key_is_flag("nothing"));
}

Test(policy, unknown_keys)
{
    struct rpctl_policy policy = rpctl_policy_default;
    struct rp_error error;
    char text[16];
    cr_assert_eq(rpctl_policy_set(&policy, "steps", "1%", &error), -ENOENT);
    cr_assert(strstr(error.message, "'steps'"));
    cr_assert_eq(rpctl_policy_format(&policy, "steps", text, sizeof text), -ENOENT);
}

Test(policy, format_is_the_inverse_of_set)
{
    static const char *const values[][2] = {
        {"instances", "7"},      {"health", "http:/x"},  {"health", "none"},      {"health", "tcp"},
        {"bake", "1500ms"},      {"bake", "0s"},         {"drain-timeout", "2m"}, {"ready-timeout", "3h"},
        {"stop-signal", "USR2"}, {"stop-signal", "INT"}, {"witness", "off"},      {"witness", "5/s"},
        {"wait", "shifted"},     {"allow-drop", "yes"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct rpctl_policy policy = with(values[i][0], values[i][1]);
        char text[RPCTL_POLICY_TEXT_BYTES];
        cr_assert_eq(rpctl_policy_format(&policy, values[i][0], text, sizeof text), 0);
        cr_assert_str_eq(text, values[i][1]);
        cr_assert_eq(rpctl_policy_format(&policy, values[i][0], text, strlen(values[i][1])), -ENAMETOOLONG);
    }
}

/* ---- settings ---- */

Test(policy_settings, put_apply_and_describe)
{
    struct rpctl_policy policy = rpctl_policy_default;
    struct rp_error error;
    json_t *settings = json_object();
    cr_assert_eq(rpctl_policy_settings_put(settings, "bake", "2s", &error), 0);
    cr_assert_eq(rpctl_policy_settings_put(settings, "bake", "3s", &error), 0);
    cr_assert_eq(rpctl_policy_settings_put(settings, "bake", "x", &error), -EINVAL);
    cr_assert_eq(rpctl_policy_settings_put(settings, "steps", "x", &error), -ENOENT);
    cr_assert_eq(json_object_size(settings), 1);
    cr_assert_eq(rpctl_policy_settings_apply(&policy, settings, &error), 0);
    cr_assert_eq(policy.bake_ms, 3000);
    cr_assert_eq(rpctl_policy_settings_apply(&policy, NULL, &error), 0);
    json_decref(settings);

    settings = rpctl_policy_settings_of(&policy);
    struct rpctl_policy again = rpctl_policy_default;
    cr_assert_eq(rpctl_policy_settings_apply(&again, settings, &error), 0);
    cr_assert_eq(memcmp(&again, &policy, sizeof policy), 0);
    json_decref(settings);
    expect_no_leak();
}

Test(policy_settings, apply_all_or_nothing)
{
    static const char *const bad[] = {"{\"bake\":\"2s\",\"wait\":\"x\"}", "{\"bake\":\"2s\",\"wait\":1}",
                                      "{\"bake\":\"2s\",\"nothing\":\"1\"}", "[]", "\"bake\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rpctl_policy policy = rpctl_policy_default;
        struct rp_error error;
        json_t *settings = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        cr_assert_eq(rpctl_policy_settings_apply(&policy, settings, &error), -EINVAL, "%s", bad[i]);
        cr_assert_eq(memcmp(&policy, &rpctl_policy_default, sizeof policy), 0);
        json_decref(settings);
    }
    expect_no_leak();
}

Test(policy_settings, ini_file)
{
    struct rp_error error = {0};
    json_t *settings = json_object();
    static const char text[] =
        "; a comment\n# another\n\nbake = 2s\n  wait=shifted  \n\tallow-drop = \r\nwitness: off ; inline\n"
        "health = http:/x\nbake = 4s";
    cr_assert_eq(rpctl_policy_settings_parse_ini(settings, text, "f.ini", &error), 0, "%s", error.message);
    cr_assert_str_eq(json_string_value(json_object_get(settings, "bake")), "4s");
    cr_assert_str_eq(json_string_value(json_object_get(settings, "wait")), "shifted");
    cr_assert_str_eq(json_string_value(json_object_get(settings, "allow-drop")), "");
    cr_assert_str_eq(json_string_value(json_object_get(settings, "witness")), "off");
    cr_assert_eq(json_object_size(settings), 5);
    cr_assert_eq(rpctl_policy_settings_parse_ini(settings, "", "f.ini", &error), 0);
    json_decref(settings);
    expect_no_leak();
}

Test(policy_settings, ini_errors_name_file_and_line)
{
    char long_line[400] = "bake = ";
    memset(long_line + 7, '1', 300);
    const char *const bad[][2] = {
        {"bake = 1s\nsteps = 1%\n", "f.ini:2: unknown policy key 'steps'"},
        {"\n\nbake = x\nbake = y\n", "f.ini:3: bake 'x': take"},
        {"bake = 1s\nnonsense\n", "f.ini:2: not a line"},
        {"nonsense\nbake = x\n", "f.ini:1: not a line"},
        {"bake = x\nnonsense\n", "f.ini:1: bake 'x'"},
        {"[service]\nbake = 1s\n", "f.ini:2: section 'service'"},
        {"[service\n", "f.ini:1: not a line"},
        {long_line, "f.ini:1: the line is longer than"},
        {"bake = \x1b[31m\n", "f.ini:1: bake '?[31m'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rp_error error = {0};
        json_t *settings = json_object();
        cr_assert_eq(rpctl_policy_settings_parse_ini(settings, bad[i][0], "f.ini", &error), -EINVAL, "%s",
                     bad[i][0]);
        cr_assert_eq(strncmp(error.message, bad[i][1], strlen(bad[i][1])), 0, "%s", error.message);
        cr_assert_eq(error.code, -EINVAL);
        cr_assert(rpctl_policy_settings_parse_ini(settings, bad[i][0], "f.ini", NULL) < 0);
        json_decref(settings);
    }
    expect_no_leak();
}
