/* What a command prints: events as text or as JSON lines, and its own failures in the same form.
 *
 * Results that are no plain success go to stderr as text, everything else to stdout; as JSON everything goes
 * to stdout, and the last line is a `result`. */
#ifndef RPCTL_REPORT_H
#define RPCTL_REPORT_H

#include "pure/command_line.h"
#include "pure/event_text.h"

struct rpctl_report {
    bool json;
    struct rpctl_event_text view;
};

void rpctl_report_init(struct rpctl_report *report, const struct rpctl_command_line *line);

/* Prints one event; `raw` is its line, without a newline. */
void rpctl_report_event(struct rpctl_report *report, const char *raw, const json_t *event);

/* Removes a live line from the terminal. */
void rpctl_report_clear(struct rpctl_report *report);

/* Prints that the command itself failed, and returns `exit_code`. */
int rpctl_report_failure(const struct rpctl_command_line *line, int exit_code, const char *reason);

/* Prints text on stdout. */
void rpctl_report_text(const struct rpctl_text *text);

#endif
