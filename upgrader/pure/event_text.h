/* Turns the events of an operation (rpctl-protocol(7)) into text for people.
 *
 * On a pipe each phase is one plain line when it ends. On a terminal (`live`) there is also a line for the
 * phase under way, with a bar and a counter, rewritten by every event. No line is wider than the terminal.
 * Everything that comes from a server is cleaned of control characters. Pure: events in, bytes out. */
#ifndef RPCTL_EVENT_TEXT_H
#define RPCTL_EVENT_TEXT_H

#include "pure/text.h"
#include <jansson.h>
#include <stdbool.h>

#define RPCTL_WIDTH_DEFAULT 80 /* of a terminal that does not say */

/* The view of one operation. The caller sets the first part, and `width` again whenever it changes. */
struct rpctl_event_text {
    bool live; /* the output is a terminal */
    bool colour;
    bool quiet;     /* only results that are no plain success */
    unsigned width; /* columns of the terminal; 0 = unknown */

    /* the view's own */
    bool line_open;    /* the cursor stands behind a live line */
    char release[128]; /* of the operation, for the heading of its log lines */
};

/* Appends what `event` changes on the screen; nothing for an event that is not shown. Not for `status`
 * events, see status_text.h. */
void rpctl_event_text_append(struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out);

/* Removes the live line, if there is one: before something else writes to the terminal, and at the end. */
void rpctl_event_text_clear(struct rpctl_event_text *view, struct rpctl_text *out);

/* True for a `result` that is not a plain success; its text belongs on stderr. */
bool rpctl_event_is_problem(const json_t *event);

#endif
