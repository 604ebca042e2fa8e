#include "pure/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 28

struct match {
    const struct rp_option *option;
    void *target;
};

static struct match find(const struct rp_option_group *groups, size_t count, const char *name, size_t length)
{
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct rp_option *option = &groups[g].options[i];
            if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
                return (struct match){.option = option, .target = groups[g].target};
        }
    }
    return (struct match){0};
}

/* Applies argv[*at], and moves *at to the last argument used. */
static int parse_one(const struct rp_option_group *groups, size_t count, int argc, char *const argv[],
                     int *at, struct rp_error *error)
{
    const char *argument = argv[*at];
    size_t length = strcspn(argument, "=");
    if (strncmp(argument, "--", 2) != 0)
        return rp_error_set(error, -EINVAL, "unexpected argument \"%s\"; see --help", argument);
    struct match match = find(groups, count, argument, length);
    if (!match.option)
        return rp_error_set(error, -EINVAL, "no such option: \"%.*s\"; see --help", (int)length, argument);
    const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
    if (!match.option->argument && value)
        return rp_error_set(error, -EINVAL, "%s takes no value", match.option->name);
    if (match.option->argument && !value) {
        if (*at + 1 >= argc)
            return rp_error_set(error, -EINVAL, "%s needs a value: %s", match.option->name,
                                match.option->argument);
        value = argv[++*at];
    }
    int result = match.option->apply(match.target, value, error);
    if (result < 0) rp_error_prefix(error, "%s", match.option->name);
    return result;
}

int rp_options_parse(const struct rp_option_group *groups, size_t count, int argc, char *const argv[],
                     struct rp_error *error)
{
    for (int at = 1; at < argc; at++) {
        int result = parse_one(groups, count, argc, argv, &at, error);
        if (result < 0) return result;
    }
    return 0;
}

static void append(char *text, size_t size, size_t *used, const char *left, const char *right)
{
    int room = (int)(size - *used);
    int length = right ? snprintf(text + *used, (size_t)room, "  %-*s %s\n", HELP_COLUMN, left, right)
                       : snprintf(text + *used, (size_t)room, "\n%s\n", left);
    *used += length < room ? (size_t)length : (size_t)room - 1;
}

void rp_options_help(const struct rp_option_group *groups, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t g = 0; g < count; g++) {
        if (groups[g].title) append(text, size, &used, groups[g].title, NULL);
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct rp_option *option = &groups[g].options[i];
            char left[64];
            snprintf(left, sizeof(left), "%s %s", option->name, option->argument ? option->argument : "");
            append(text, size, &used, left, option->help);
        }
    }
}
