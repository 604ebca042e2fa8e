#include "pure/command_line.h"
#include "fixture.h"
#include "pure/help_text.h"
#include "pure/policy.h"
#include "pure/service_name.h"
#include "pure/text.h"
#include <errno.h>
#include <string.h>

#define WORDS_MAX 600

static struct rpctl_command_line line;
static struct rp_error error;

/* Parses words separated by single blanks; "~" stands for an empty word. */
static int parse_with(const char *words, const char *name, const char *dir)
{
    static char copy[8192];
    static char *argv[WORDS_MAX];
    int argc = 0;
    rpctl_command_line_done(&line);
    error = (struct rp_error){0};
    snprintf(copy, sizeof copy, "rpctl %s", words);
    for (char *rest = copy, *word; (word = strsep(&rest, " "));)
        if (word[0]) argv[argc++] = strcmp(word, "~") == 0 ? word + 1 : word;
    argv[argc] = NULL;
    return rpctl_command_line_parse(&line, argc, argv, &(struct rpctl_command_line_defaults){name, dir},
                                    &error);
}

static void good(const char *words)
{
    cr_assert_eq(parse_with(words, NULL, NULL), 0, "%s: %s", words, error.message);
}

static void bad(const char *words, const char *part)
{
    cr_assert_eq(parse_with(words, NULL, NULL), -EINVAL, "%s was taken", words);
    cr_assert(strstr(error.message, part), "%s: %s", words, error.message);
    cr_assert_null(strchr(error.message, '\n'));
}

static const char *setting(const char *key)
{
    return json_string_value(json_object_get(line.policy, key));
}

static void done(void)
{
    rpctl_command_line_done(&line);
}

TestSuite(command_line, .fini = done);

Test(command_line, every_command)
{
    static const char *const plain[] = {"restart", "abort", "status", "logs", "stop", "version", "help"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        good(plain[i]);
        cr_assert_str_eq(rpctl_command_name(line.command), plain[i]);
        cr_assert_null(line.binary);
        char with_operand[64];
        snprintf(with_operand, sizeof with_operand, "%s -- operand", plain[i]);
        bad(with_operand, "operand");
    }
    static const char *const launching[] = {"run", "start", "upgrade"};
    for (size_t i = 0; i < sizeof launching / sizeof launching[0]; i++) {
        char words[64];
        snprintf(words, sizeof words, "%s ./server", launching[i]);
        good(words);
        cr_assert_str_eq(rpctl_command_name(line.command), launching[i]);
        cr_assert_str_eq(line.binary, "./server");
        cr_assert_null(line.args);
        bad(launching[i], "needs the server's BINARY");
    }
}

Test(command_line, defaults)
{
    good("status");
    cr_assert_str_eq(line.name, "default");
    cr_assert_null(line.dir);
    cr_assert_not(line.json || line.quiet || line.watch || line.follow);
    cr_assert_null(line.config);
    cr_assert_eq(line.lines, RPCTL_LOG_LINES_DEFAULT);
    cr_assert_eq(line.generation, 0);
    cr_assert_eq(line.env_count, 0);
    cr_assert_eq(json_object_size(line.policy), 0);
}

Test(command_line, environment)
{
    cr_assert_eq(parse_with("status", "web", "/x"), 0);
    cr_assert_str_eq(line.name, "web");
    cr_assert_str_eq(line.dir, "/x");
    cr_assert_eq(parse_with("-n api --dir y status", "web", "/x"), 0);
    cr_assert_str_eq(line.name, "api");
    cr_assert_str_eq(line.dir, "y");
    cr_assert_eq(parse_with("status", "", ""), 0);
    cr_assert_str_eq(line.name, "default");
    cr_assert_null(line.dir);
    cr_assert_eq(parse_with("status", "../x", NULL), -EINVAL);
    cr_assert_eq(parse_with("-n ok status", "../x", NULL), 0);
}

Test(command_line, global_options_before_and_behind_the_command)
{
    static const char *const forms[] = {"-n web --dir /d --json -q upgrade ./s",
                                        "upgrade -n web --dir /d --json -q ./s",
                                        "--name=web --dir=/d --json upgrade --quiet -- ./s"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        good(forms[i]);
        cr_assert_str_eq(line.name, "web");
        cr_assert_str_eq(line.dir, "/d");
        cr_assert(line.json && line.quiet);
        cr_assert_str_eq(line.binary, "./s");
    }
}

Test(command_line, what_follows_the_binary_is_the_servers)
{
    good("upgrade --bake 2s server --bake 3s -- --json -n x");
    cr_assert_str_eq(setting("bake"), "2s");
    cr_assert_str_eq(line.binary, "server");
    cr_assert_not(line.json);
    static const char *const args[] = {"--bake", "3s", "--", "--json", "-n", "x"};
    for (size_t i = 0; i < 6; i++) cr_assert_str_eq(line.args[i], args[i]);
    cr_assert_null(line.args[6]);
    good("start -- -server -x");
    cr_assert_str_eq(line.binary, "-server");
    cr_assert_str_eq(line.args[0], "-x");
    good("run - x");
    cr_assert_str_eq(line.binary, "-");
    good("-- upgrade -- server");
    cr_assert_str_eq(line.binary, "server");
    bad("upgrade ~", "empty");
}

Test(command_line, every_policy_option)
{
    static const char *const commands[] = {"run", "start", "upgrade", "restart"};
    for (size_t i = 0; i < 4; i++) {
        for (const char *const *key = rpctl_policy_keys; *key; key++) {
            char value[RPCTL_POLICY_TEXT_BYTES], words[512];
            const char *binary = i == 3 ? "" : "s";
            rpctl_policy_format(&rpctl_policy_default, *key, value, sizeof value);
            snprintf(words, sizeof words, "%s --%s=%s %s", commands[i], *key, value, binary);
            good(words);
            cr_assert_str_eq(setting(*key), value);
            bool flag = rpctl_policy_key_is_flag(*key);
            snprintf(words, sizeof words, "%s --%s %s %s", commands[i], *key, flag ? "" : value, binary);
            good(words);
            cr_assert_str_eq(setting(*key), flag ? "yes" : value);
            snprintf(words, sizeof words, "%s --%s=@ %s", commands[i], *key, binary);
            bad(words, "'@'");
            cr_assert_eq(strncmp(error.message, "--", 2), 0);
            if (!flag) {
                snprintf(words, sizeof words, "%s --%s", commands[i], *key);
                bad(words, "needs a value");
            }
            snprintf(words, sizeof words, "status --%s=%s", *key, value);
            bad(words, "status has no option");
            snprintf(words, sizeof words, "--%s=%s upgrade s", *key, value);
            bad(words, "behind the command");
        }
    }
    good("upgrade --bake 1s --bake 2s s");
    cr_assert_str_eq(setting("bake"), "2s");
    good("upgrade --allow-drop=no s");
    cr_assert_str_eq(setting("allow-drop"), "no");
}

Test(command_line, options_of_later_versions_are_unknown)
{
    static const char *const later[] = {"--steps",      "--verify",   "--sticky",
                                        "--drain-mode", "--on-event", "--step-wait"};
    for (size_t i = 0; i < 6; i++) {
        char words[64];
        snprintf(words, sizeof words, "upgrade %s x s", later[i]);
        bad(words, "unknown option");
    }
    static const char *const commands[] = {"rollback", "promote", "history", "adopt", "doctor"};
    for (size_t i = 0; i < 5; i++) bad(commands[i], "unknown command");
}

Test(command_line, config_and_env)
{
    good("start --config /etc/x.ini --env A=1 --env=B= --env _c=x=y s");
    cr_assert_str_eq(line.config, "/etc/x.ini");
    cr_assert_eq(line.env_count, 3);
    cr_assert_str_eq(line.env[0], "A=1");
    cr_assert_str_eq(line.env[1], "B=");
    cr_assert_str_eq(line.env[2], "_c=x=y");
    cr_assert_null(line.env[3]);
    good("restart --config x");
    bad("restart --env A=1", "no option");
    bad("abort --config x", "no option");
    bad("start --config= s", "empty");
    bad("start --dir= s", "empty");
    bad("start --env", "needs a value");
    static const char *const wrong[] = {
        "A", "=1", "1A=1", "A-B=1", "~", "RP_SERVICE=x", "NOTIFY_SOCKET=x", "LISTEN_FDS=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char words[64];
        snprintf(words, sizeof words, "start --env %s s", wrong[i]);
        bad(words, "env");
    }
    good("start --env RPM=1 --env NOTIFY_SOCKETS=1 s");
}

Test(command_line, env_is_bounded)
{
    char words[4096] = "start";
    for (int i = 0; i < RPCTL_ENVIRONMENT_MAX; i++) strcat(words, " --env=A=1");
    size_t full = strlen(words);
    strcat(words, " s");
    good(words);
    cr_assert_eq(line.env_count, RPCTL_ENVIRONMENT_MAX);
    strcpy(words + full, " --env=A=1 s");
    bad(words, "more than");
}

Test(command_line, logs_and_status)
{
    good("logs -f --lines 0 --generation 3");
    cr_assert(line.follow);
    cr_assert_eq(line.lines, 0);
    cr_assert_eq(line.generation, 3);
    good("logs --follow --lines=1000000");
    good("status --watch");
    cr_assert(line.watch);
    static const char *const wrong[] = {"logs --lines x",      "logs --lines -1",
                                        "logs --lines=",       "logs --lines 1000001",
                                        "logs --generation 0", "logs --generation 99999999999",
                                        "logs --lines 5x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) bad(wrong[i], "take a whole number");
    bad("logs --watch", "logs has no option");
    bad("status -f", "status has no option");
    bad("--json logs", "leave out --json");
    bad("logs --json", "leave out --json");
}

Test(command_line, names)
{
    static const char *const wrong[] = {
        "~",           ".x",  "-x",
        "a/b",         "..",  "a\tb",
        "gr\xc3\xbcn", "a:b", "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char words[128];
        snprintf(words, sizeof words, "-n %s status", wrong[i]);
        bad(words, "is no service name");
    }
    static const char *const right[] = {"a", "A.b_c-9", "_",
                                        "1234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        char words[128];
        snprintf(words, sizeof words, "--name %s status", right[i]);
        good(words);
    }
}

Test(command_line, mistakes)
{
    bad("", "which command?");
    bad("-q", "which command?");
    bad("upgrde x", "did you mean upgrade?");
    bad("frobnicate", "see: rpctl help");
    bad("upgrade --bakke 1s x", "did you mean --bake?");
    bad("upgrade --frobnicate x", "see: rpctl help upgrade");
    bad("--frobnicate status", "rpctl: unknown option '--frobnicate'");
    bad("--nmae x status", "did you mean --name?");
    bad("-x status", "unknown option '-x'");
    bad("-nweb status", "unknown option");
    bad("-n", "needs a value");
    bad("--json=yes status", "takes no value");
    bad("status --version", "no option");
    bad("--watch status", "behind the command");
    bad("status --an-option-name-that-is-much-longer-than-all-others", "unknown option");
    bad("status --=x", "unknown option");
    bad("\x1b[31m", "'?[31m'");
}

Test(command_line, json_is_known_when_an_error_follows)
{
    bad("--json upgrade --bogus x", "unknown option");
    cr_assert(line.json);
    bad("--json", "which command?");
    cr_assert(line.json);
}

Test(command_line, help)
{
    good("--help");
    cr_assert_eq(line.command, RPCTL_COMMAND_HELP);
    cr_assert_eq(line.topic, RPCTL_COMMAND_COUNT);
    good("help");
    cr_assert_eq(line.topic, RPCTL_COMMAND_COUNT);
    static const char *const forms[] = {"help upgrade", "upgrade --help", "-h upgrade", "upgrade -h x --y",
                                        "upgrade --bake 1s -h"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        good(forms[i]);
        cr_assert_eq(line.command, RPCTL_COMMAND_HELP, "%s", forms[i]);
        cr_assert_eq(line.topic, RPCTL_COMMAND_UPGRADE, "%s", forms[i]);
    }
    bad("help nothing", "unknown command");
    bad("help upgrade x", "no argument 'x'");
    good("--version");
    cr_assert_eq(line.command, RPCTL_COMMAND_VERSION);
    bad("--version run", "no argument");
}

Test(command_line, an_empty_argv)
{
    char *argv[] = {NULL};
    rpctl_command_line_done(&line);
    cr_assert_eq(rpctl_command_line_parse(&line, 0, argv, &(struct rpctl_command_line_defaults){0}, NULL),
                 -EINVAL);
    rpctl_command_line_done(&line);
    expect_no_leak();
}

Test(help_text, names_every_command_and_option)
{
    struct rpctl_text out = {0};
    rpctl_help_text_append(&out, RPCTL_COMMAND_COUNT);
    for (int i = 0; i < RPCTL_COMMAND_COUNT; i++)
        cr_assert(strstr(rpctl_text_string(&out), rpctl_command_name((enum rpctl_command)i)));
    for (int i = 0; i < RPCTL_COMMAND_COUNT; i++) {
        rpctl_text_clear(&out);
        rpctl_help_text_append(&out, (enum rpctl_command)i);
        cr_assert(strstr(rpctl_text_string(&out), "usage: rpctl [GLOBAL OPTIONS] "));
        bool has_policy = strstr(rpctl_text_string(&out), "--config") != NULL;
        cr_assert_eq(has_policy, i == RPCTL_COMMAND_RUN || i == RPCTL_COMMAND_START ||
                                     i == RPCTL_COMMAND_UPGRADE || i == RPCTL_COMMAND_RESTART);
    }
    rpctl_text_done(&out);
}

Test(help_text, lists_the_policy_in_its_order_with_its_defaults)
{
    struct rpctl_text out = {0};
    rpctl_help_text_append(&out, RPCTL_COMMAND_UPGRADE);
    const char *at = rpctl_text_string(&out);
    for (const char *const *key = rpctl_policy_keys; *key; key++) {
        char option[64], value[RPCTL_POLICY_TEXT_BYTES], standard[RPCTL_POLICY_TEXT_BYTES + 4];
        snprintf(option, sizeof option, "\n  --%s ", *key);
        at = strstr(at, option);
        cr_assert_not_null(at, "%s", *key);
        rpctl_policy_format(&rpctl_policy_default, *key, value, sizeof value);
        snprintf(standard, sizeof standard, "(%s)\n", value);
        const char *end = strchr(at + 1, '\n') + 1;
        cr_assert_eq(strncmp(end - strlen(standard), standard, strlen(standard)), 0, "%s", *key);
    }
    for (const char *from = rpctl_text_string(&out); *from; from = strchr(from, '\n') + 1)
        cr_assert_leq(strcspn(from, "\n"), 90, "%.100s", from);
    rpctl_text_done(&out);
}
