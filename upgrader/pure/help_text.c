#include "pure/help_text.h"
#include "pure/policy.h"
#include <string.h>

#define OPTION_COLUMN 27

struct topic {
    const char *usage;
    const char *summary; /* in the list of commands */
    const char *text;
    bool takes_policy;
    bool takes_binary;
};

static const struct topic topics[RPCTL_COMMAND_COUNT] = {
    [RPCTL_COMMAND_RUN] =
        {"run [OPTIONS] [--] BINARY [ARG...]", "start a service and stay in the foreground",
         "Starts the service and stays its supervisor until it is stopped. The logs of the\n"
         "server are printed. Ctrl-C drains it and ends; a second Ctrl-C ends at once.\n",
         true, true},
    [RPCTL_COMMAND_START] =
        {"start [OPTIONS] [--] BINARY [ARG...]", "start a service in the background",
         "Starts the service with a supervisor in the background, and returns when it serves.\n"
         "BINARY is a path, or a name looked up in PATH; what follows it is the server's.\n",
         true, true},
    [RPCTL_COMMAND_UPGRADE] =
        {"upgrade [OPTIONS] [--] BINARY [ARG...]", "replace the running release by another",
         "Launches BINARY beside the running release, proves it, shifts the new connections\n"
         "to it and drains the old one. Without ARG the service keeps its arguments. Options\n"
         "hold for this upgrade. Ctrl-C ends only this command, not the upgrade.\n",
         true, true},
    [RPCTL_COMMAND_RESTART] = {"restart [OPTIONS]", "replace the running release by itself",
                               "An upgrade to the binary and the arguments that are running now.\n", true,
                               false},
    [RPCTL_COMMAND_ABORT] = {"abort", "stop the operation under way",
                             "The operation under way is undone as far as it can be, and ends.\n", false,
                             false},
    [RPCTL_COMMAND_STATUS] = {"status [--watch]", "show the service",
                              "  --watch                  again at every change, until Ctrl-C\n", false,
                              false},
    [RPCTL_COMMAND_LOGS] =
        {"logs [-f] [--lines N] [--generation N]", "show the server's log",
         "  -f, --follow             go on as the log grows, until Ctrl-C; also to the logs of the\n"
         "                           generations to come\n"
         "  --lines N                the last N lines (50)\n"
         "  --generation N           the log of this generation (the newest)\n",
         false, false},
    [RPCTL_COMMAND_STOP] = {"stop", "drain the service and end it",
                            "The server finishes what it is serving, then it and its supervisor end.\n",
                            false, false},
    [RPCTL_COMMAND_REEXEC] =
        {"reexec", "replace the supervisor by the rpctl that is now at its path",
         "The same process goes on with the new program; the server notices nothing, and old\n"
         "generations go on draining. A program that cannot go on with the service is refused.\n",
         false, false},
    [RPCTL_COMMAND_VERSION] = {"version", "print the version of rpctl", "", false, false},
    [RPCTL_COMMAND_HELP] = {"help [COMMAND]", "print this, or the help of a command", "", false, false},
};

/* In the order of rpctl_policy_keys; a test holds the two together. */
static const struct {
    const char *key;
    const char *value;
    const char *text;
} policy_options[] = {
    {"instances", "N", "processes of the server"},
    {"health", "HEALTH", "auto, http:/PATH, tcp or none"},
    {"health-count", "N", "good answers in a row that prove a release"},
    {"health-interval", "TIME", "between two health checks"},
    {"ready-timeout", "TIME", "from launch until the release must be proven"},
    {"bake", "TIME", "the new release is watched before the old one goes"},
    {"quiesce-timeout", "TIME", "wait for the old accept queues to be empty"},
    {"drain-timeout", "TIME", "wait for the old connections to end"},
    {"idle-grace", "TIME", "idle connections stay open this long in the drain"},
    {"max-draining", "N", "old generations that may drain at the same time"},
    {"max-restarts", "N", "launches in a row of what dies young; 0: without end"},
    {"wait", "WHEN", "return when the old generation is drained, or shifted"},
    {"stop-signal", "NAME", "TERM, INT, QUIT, HUP, USR1 or USR2"},
    {"witness", "RATE", "requests of our own during the upgrade: N/s or off"},
    {"allow-drop", NULL, "the new release may leave out an address of the old one"},
};

#define POLICY_OPTION_COUNT (sizeof policy_options / sizeof policy_options[0])

static const char global_options[] = "Global options:\n"
                                     "  -n, --name NAME          the service (env RPCTL_NAME; default)\n"
                                     "  --dir DIR                where services live (env RPCTL_DIR)\n"
                                     "  --json                   print one JSON object per event\n"
                                     "  -q, --quiet              print only what went wrong\n"
                                     "  -h, --help               print help\n";

static const char exit_codes[] =
    "Exit status: 0 done, 1 failed and the service is as before, 2 usage error, 3 rolled back,\n"
    "4 busy, 5 no such service, 6 refused by a check before launch, 7 done but not spotless,\n"
    "70 an error in rpctl itself.\n";

static void append_padded(struct rpctl_text *out, const char *option, const char *text)
{
    size_t used = strlen(option);
    rpctl_text_append(out, "%s", option);
    rpctl_text_append_blanks(out, used < OPTION_COLUMN ? OPTION_COLUMN - used : 1);
    rpctl_text_append(out, "%s", text);
}

static void append_policy_option(struct rpctl_text *out, size_t index)
{
    char standard[RPCTL_POLICY_TEXT_BYTES] = "";
    struct rpctl_text option = {0};
    const char *value = policy_options[index].value;
    rpctl_policy_format(&rpctl_policy_default, policy_options[index].key, standard, sizeof standard);
    rpctl_text_append(&option, "  --%s%s%s", policy_options[index].key, value ? " " : "", value ? value : "");
    append_padded(out, rpctl_text_string(&option), policy_options[index].text);
    rpctl_text_append(out, " (%s)\n", standard);
    rpctl_text_done(&option);
}

static void append_policy(struct rpctl_text *out, bool takes_binary)
{
    rpctl_text_append(out, "\nOptions; a TIME is a number with ms, s, m or h:\n");
    for (size_t i = 0; i < POLICY_OPTION_COUNT; i++) append_policy_option(out, i);
    rpctl_text_append(out,
                      "  --config FILE            read the options above from FILE, lines of KEY = VALUE\n");
    if (takes_binary)
        rpctl_text_append(out, "  --env K=V                add to the server's environment; repeatable\n");
}

static void append_command(struct rpctl_text *out, const struct topic *topic)
{
    rpctl_text_append(out, "usage: rpctl [GLOBAL OPTIONS] %s\n\n%s", topic->usage, topic->text);
    if (topic->takes_policy) append_policy(out, topic->takes_binary);
    rpctl_text_append(out, "%s%s", topic->text[0] ? "\n" : "", global_options);
}

static void append_overview(struct rpctl_text *out)
{
    rpctl_text_append(out, "usage: rpctl [GLOBAL OPTIONS] COMMAND [OPTIONS] [--] [BINARY [ARG...]]\n\n"
                           "Upgrades a running server to a new binary without losing a connection.\n\n");
    for (unsigned i = 0; i < RPCTL_COMMAND_COUNT; i++)
        rpctl_text_append(out, "  %-9s %s\n", rpctl_command_name((enum rpctl_command)i), topics[i].summary);
    rpctl_text_append(out, "\n%s\n%s\nMore: rpctl help COMMAND\n", global_options, exit_codes);
}

void rpctl_help_text_append(struct rpctl_text *out, enum rpctl_command topic)
{
    if (topic == RPCTL_COMMAND_COUNT)
        append_overview(out);
    else
        append_command(out, &topics[topic]);
}
