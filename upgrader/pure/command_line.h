/* The command line of rpctl: `rpctl [GLOBAL OPTIONS] COMMAND [OPTIONS] [--] [BINARY [ARG…]]`.
 *
 * Parsed into one value, without looking at anything but the arguments and two environment variables that are
 * handed in. Global options may stand before or behind the command; everything behind BINARY belongs to the
 * server. Pure. */
#ifndef RPCTL_COMMAND_LINE_H
#define RPCTL_COMMAND_LINE_H

#include "pure/environment.h"
#include <jansson.h>
#include <rp/error.h>
#include <stdbool.h>

#define RPCTL_LOG_LINES_DEFAULT 50
#define RPCTL_LOG_LINES_MAX     1000000

enum rpctl_command {
    RPCTL_COMMAND_RUN,
    RPCTL_COMMAND_START,
    RPCTL_COMMAND_UPGRADE,
    RPCTL_COMMAND_RESTART,
    RPCTL_COMMAND_ABORT,
    RPCTL_COMMAND_STATUS,
    RPCTL_COMMAND_LOGS,
    RPCTL_COMMAND_STOP,
    RPCTL_COMMAND_REEXEC,
    RPCTL_COMMAND_VERSION,
    RPCTL_COMMAND_HELP,
    RPCTL_COMMAND_COUNT /* as a help topic: rpctl as a whole */
};

/* What the environment says; NULL where it says nothing. An empty value says nothing. */
struct rpctl_command_line_defaults {
    const char *name; /* RPCTL_NAME */
    const char *dir;  /* RPCTL_DIR */
};

struct rpctl_command_line {
    enum rpctl_command command;
    enum rpctl_command topic; /* of help */
    const char *name;
    const char *dir; /* NULL: the default of the user */
    bool json;
    bool quiet;
    const char *config;                   /* file with policy settings, or NULL */
    json_t *policy;                       /* settings given as options (policy_settings.h) */
    char *env[RPCTL_ENVIRONMENT_MAX + 1]; /* "K=V", NULL-terminated */
    size_t env_count;
    const char *binary; /* of run, start, upgrade, as given */
    char **args;        /* what follows BINARY, NULL-terminated; NULL when nothing does */
    bool watch;         /* of status */
    bool follow;        /* of logs */
    unsigned lines;
    unsigned generation; /* 0: the newest */
};

/* Parses argv (argv[argc] is NULL). 0; -EINVAL: one line that names the thing and the remedy; -ENOMEM.
 * Whatever is returned, *ret_line says how errors shall be reported (`json`, `name`), borrows from argv and
 * `defaults`, and must be ended with rpctl_command_line_done. */
int rpctl_command_line_parse(struct rpctl_command_line *ret_line, int argc, char **argv,
                             const struct rpctl_command_line_defaults *defaults, struct rp_error *error);
void rpctl_command_line_done(struct rpctl_command_line *line);

/* "run" and so on. */
const char *rpctl_command_name(enum rpctl_command command);

#endif
