/* Command lines: "--name VALUE", "--name=VALUE" and "--name", from tables that also make the help text.
 *
 * A program has one or more groups; each writes into a target of its own. No environment, no abbreviations.
 */
#ifndef RP_PURE_OPTIONS_H
#define RP_PURE_OPTIONS_H

#include <rp/error.h>
#include <stddef.h>

struct rp_option {
    const char *name;     /* "--listen" */
    const char *argument; /* what it takes, "ADDR:PORT", or NULL */
    const char *help;
    /* Negative errno and a message that names the remedy; the option's name is put before it. `value` is NULL
     * for an option without argument. */
    int (*apply)(void *target, const char *value, struct rp_error *error);
};

struct rp_option_group {
    const char *title; /* a line above the group in the help, or NULL */
    const struct rp_option *options;
    size_t count;
    void *target;
};

/* argv[1…]. -EINVAL, or what apply returned. */
int rp_options_parse(const struct rp_option_group *groups, size_t count, int argc, char *const argv[],
                     struct rp_error *error);

/* The help of all groups, one option per line; cut off at size - 1, always terminated. */
void rp_options_help(const struct rp_option_group *groups, size_t count, char *text, size_t size);

#endif
