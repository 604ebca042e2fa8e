/* The layout of a finished phase, in columns:
 *
 *     0 2         12                                              59 62
 *     |  health    3/3 GET /healthz 200                         46 ms
 *
 * The time is right-aligned to column 59. A detail that reaches into it pushes it to the right on a pipe,
 * where nothing may be lost; on a terminal the detail is cut. All other lines that are wider than the
 * terminal are broken between words there. */
#include "pure/event_text.h"
#include "pure/duration.h"
#include "pure/exit_code.h"
#include "pure/json_get.h"
#include "pure/wrap_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS     9
#define DETAIL_COLUMN    12
#define LINE_COLUMNS     62
#define BAR_COLUMNS      20
#define BAR_MIN_TERMINAL 60
#define ERASE_LINE       "\r\x1b[K"
#define STYLE_BOLD       "\x1b[1m"
#define STYLE_BAD        "\x1b[31m"
#define STYLE_GOOD       "\x1b[32m"
#define STYLE_WARNING    "\x1b[33m"
#define STYLE_END        "\x1b[0m"
#define LOG_INDENT       "    "

static unsigned width_of(const struct rpctl_event_text *view)
{
    return view->width ? view->width : RPCTL_WIDTH_DEFAULT;
}

static void begin_style(const struct rpctl_event_text *view, struct rpctl_text *out, const char *style)
{
    if (view->colour) rpctl_text_append(out, "%s", style);
}

static void end_style(const struct rpctl_event_text *view, struct rpctl_text *out)
{
    if (view->colour) rpctl_text_append(out, STYLE_END);
}

static void append_whole(struct rpctl_text *out, const char *untrusted)
{
    rpctl_text_append_clean(out, untrusted, RPCTL_TEXT_NO_LIMIT);
}

void rpctl_event_text_clear(struct rpctl_event_text *view, struct rpctl_text *out)
{
    if (view->line_open) rpctl_text_append(out, ERASE_LINE);
    view->line_open = false;
}

bool rpctl_event_is_problem(const json_t *event)
{
    return strcmp(rpctl_json_text(event, "event"), "result") == 0 &&
           rpctl_json_number(event, "exit") != RPCTL_EXIT_DONE;
}

/* ---- operation ---- */

static void append_generations(struct rpctl_text *out, uint64_t from, uint64_t to)
{
    if (from > 0 && to > 0)
        rpctl_text_append(out, "generation %" PRIu64 " -> %" PRIu64, from, to);
    else
        rpctl_text_append(out, "generation %" PRIu64, from > 0 ? from : to);
}

static void append_operation(struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    const char *release = rpctl_json_text(event, "release");
    snprintf(view->release, sizeof view->release, "%s", release);
    begin_style(view, out, STYLE_BOLD);
    append_whole(out, rpctl_json_text(event, "operation"));
    rpctl_text_append(out, " ");
    append_whole(out, rpctl_json_text(event, "service"));
    rpctl_text_append(out, ": ");
    append_generations(out, rpctl_json_number(event, "from"), rpctl_json_number(event, "to"));
    if (release[0] != '\0') rpctl_text_append(out, "  ");
    append_whole(out, release);
    end_style(view, out);
    rpctl_text_append(out, "\n");
}

/* ---- phase ---- */

/* Of the story of an upgrade these are the grammar; they are worth a line only when they fail. */
static bool is_minor(const char *phase)
{
    return strcmp(phase, "pin") == 0 || strcmp(phase, "close") == 0 || strcmp(phase, "detach") == 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t minus(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static void append_phase_name(struct rpctl_text *out, const char *phase)
{
    size_t columns = rpctl_text_columns(phase);
    rpctl_text_append(out, "  ");
    append_whole(out, phase);
    rpctl_text_append_blanks(out, minus(NAME_COLUMNS, columns) + 1);
}

static void append_phase_end(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    char time[32];
    snprintf(time, sizeof time, "%" PRIu64 " ms", rpctl_json_number(event, "ms"));
    size_t line = view->live ? least(width_of(view), LINE_COLUMNS) : LINE_COLUMNS;
    size_t room = minus(view->live ? width_of(view) : RPCTL_TEXT_NO_LIMIT, DETAIL_COLUMN + 1 + strlen(time));
    append_phase_name(out, rpctl_json_text(event, "phase"));
    size_t used = DETAIL_COLUMN + rpctl_text_append_clean(out, rpctl_json_text(event, "detail"), room);
    size_t gap = minus(line, used + strlen(time));
    rpctl_text_append_blanks(out, gap > 0 ? gap : 1);
    rpctl_text_append(out, "%s\n", time);
}

/* Uncut on a terminal too: what failed is worth a second line, which the end of this file breaks. */
static void append_phase_fail(const struct rpctl_event_text *view, const json_t *event,
                              struct rpctl_text *out)
{
    char time[RPCTL_DURATION_BYTES];
    const char *detail = rpctl_json_text(event, "detail");
    rpctl_duration_describe(rpctl_json_number(event, "ms"), time);
    begin_style(view, out, STYLE_BAD);
    append_phase_name(out, rpctl_json_text(event, "phase"));
    rpctl_text_append(out, "failed after %s%s", time, detail[0] ? ": " : "");
    append_whole(out, detail);
    end_style(view, out);
    rpctl_text_append(out, "\n");
}

static void append_bar(struct rpctl_text *out, uint64_t done, uint64_t total)
{
    unsigned filled = (unsigned)((double)(done < total ? done : total) / (double)total * BAR_COLUMNS);
    rpctl_text_append(out, "[");
    for (unsigned i = 0; i < BAR_COLUMNS; i++) rpctl_text_append(out, "%c", i < filled ? '#' : '-');
    rpctl_text_append(out, "] ");
}

/* Bar, then the detail, or else how much of the phase's time is over. */
static void append_progress(struct rpctl_text *out, const json_t *event, unsigned width)
{
    uint64_t done = rpctl_json_number(event, "done");
    uint64_t total = rpctl_json_number(event, "total");
    const char *detail = rpctl_json_text(event, "detail");
    if (total > 0 && width >= BAR_MIN_TERMINAL) append_bar(out, done, total);
    if (detail[0] != '\0')
        append_whole(out, detail);
    else if (total > 0)
        rpctl_text_append(out, "%.1f of %.1f s", (double)done / 1000, (double)total / 1000);
}

/* One column stays free: a terminal wraps when the last one is written. */
static void append_live(struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    struct rpctl_text line = {0};
    append_phase_name(&line, rpctl_json_text(event, "phase"));
    append_progress(&line, event, width_of(view));
    rpctl_text_append_clean(out, rpctl_text_string(&line), width_of(view) - 1);
    view->line_open = true;
    rpctl_text_done(&line);
}

static void append_phase(struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    const char *state = rpctl_json_text(event, "state");
    if (strcmp(state, "fail") == 0)
        append_phase_fail(view, event, out);
    else if (strcmp(state, "end") == 0 && !is_minor(rpctl_json_text(event, "phase")))
        append_phase_end(view, event, out);
    else if (strcmp(state, "end") != 0 && view->live)
        append_live(view, event, out);
}

/* ---- result ---- */

static const char *past_tense(const char *operation)
{
    static const struct {
        const char *operation, *past;
    } words[] = {{"start", "started"},     {"takeover", "taken over"},        {"upgrade", "upgraded"},
                 {"restart", "restarted"}, {"reexec", "supervisor replaced"}, {"stop", "stopped"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].operation, operation) == 0) return words[i].past;
    return "done";
}

static void append_time(struct rpctl_text *out, const json_t *event, const char *preposition)
{
    if (!json_object_get(event, "ms")) return;
    char time[RPCTL_DURATION_BYTES];
    rpctl_duration_describe(rpctl_json_number(event, "ms"), time);
    rpctl_text_append(out, " %s %s", preposition, time);
}

static void append_witness(struct rpctl_text *out, const json_t *event)
{
    const json_t *witness = json_object_get(event, "witness");
    if (!witness) return;
    rpctl_text_append(out, "; witness: %" PRIu64 " requests, %" PRIu64 " failed, slowest %.1f ms",
                      rpctl_json_number(witness, "requests"), rpctl_json_number(witness, "failed"),
                      json_number_value(json_object_get(witness, "slowest_ms")));
}

static void append_done(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    const char *operation = rpctl_json_text(event, "operation");
    begin_style(view, out, STYLE_GOOD);
    if (strcmp(operation, "abort") == 0) {
        rpctl_text_append(out, "the operation is being stopped; look: rpctl status");
    } else {
        rpctl_text_append(out, "%s", past_tense(operation));
        append_time(out, event, "in");
    }
    end_style(view, out);
    append_witness(out, event);
    rpctl_text_append(out, "\n");
}

static void append_not_spotless(const struct rpctl_event_text *view, const json_t *event,
                                struct rpctl_text *out)
{
    const char *reason = rpctl_json_text(event, "reason");
    begin_style(view, out, STYLE_WARNING);
    rpctl_text_append(out, "%s", past_tense(rpctl_json_text(event, "operation")));
    append_time(out, event, "in");
    rpctl_text_append(out, ", but not spotless: ");
    if (reason[0] != '\0')
        append_whole(out, reason);
    else
        rpctl_text_append(out, "%" PRIu64 " connections cut", rpctl_json_number(event, "cut"));
    end_style(view, out);
    append_witness(out, event);
    rpctl_text_append(out, "\n");
}

static void append_log(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    const json_t *log = json_object_get(event, "log");
    if (json_array_size(log) == 0) return;
    rpctl_text_append(out, "last lines of ");
    append_whole(out, view->release[0] ? view->release : "the new release");
    rpctl_text_append(out, ":\n");
    for (size_t i = 0; i < json_array_size(log); i++) {
        const char *line = json_string_value(json_array_get(log, i));
        rpctl_text_append(out, LOG_INDENT);
        append_whole(out, line ? line : "");
        rpctl_text_append(out, "\n");
    }
}

/* "failed after 1.20 s: REASON; generation 1 goes on serving" */
static void append_undone(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out,
                          const char *what, const char *serving)
{
    const char *reason = rpctl_json_text(event, "reason");
    uint64_t generation = rpctl_json_number(event, "generation");
    begin_style(view, out, STYLE_BAD);
    rpctl_text_append(out, "%s", what);
    append_time(out, event, "after");
    rpctl_text_append(out, ": ");
    append_whole(out, reason[0] ? reason : "no reason given");
    end_style(view, out);
    if (generation > 0) rpctl_text_append(out, "; generation %" PRIu64 " %s", generation, serving);
    append_witness(out, event);
    rpctl_text_append(out, "\n");
    append_log(view, event, out);
}

/* Nothing was begun: "busy: REASON". */
static void append_declined(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out,
                            const char *what)
{
    const char *reason = rpctl_json_text(event, "reason");
    begin_style(view, out, STYLE_BAD);
    rpctl_text_append(out, "%s", what);
    end_style(view, out);
    rpctl_text_append(out, ": ");
    append_whole(out, reason[0] ? reason : "no reason given");
    rpctl_text_append(out, "\n");
}

static void append_result(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    uint64_t code = rpctl_json_number(event, "exit");
    switch (code) {
    case RPCTL_EXIT_DONE: append_done(view, event, out); break;
    case RPCTL_EXIT_NOT_SPOTLESS: append_not_spotless(view, event, out); break;
    case RPCTL_EXIT_FAILED: append_undone(view, event, out, "failed", "goes on serving"); break;
    case RPCTL_EXIT_ROLLED_BACK: append_undone(view, event, out, "rolled back", "serves all again"); break;
    case RPCTL_EXIT_BUG: append_declined(view, event, out, "internal error"); break;
    case RPCTL_EXIT_USAGE: append_declined(view, event, out, "usage error"); break;
    default:
        append_declined(view, event, out, code < INT32_MAX ? rpctl_exit_outcome((int)code) : "bug");
        break;
    }
}

static void append_warning(const struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    begin_style(view, out, STYLE_WARNING);
    rpctl_text_append(out, "  warning   ");
    append_whole(out, rpctl_json_text(event, "text"));
    end_style(view, out);
    rpctl_text_append(out, "\n");
}

void rpctl_event_text_append(struct rpctl_event_text *view, const json_t *event, struct rpctl_text *out)
{
    const char *kind = rpctl_json_text(event, "event");
    if (view->quiet && !rpctl_event_is_problem(event)) {
        if (strcmp(kind, "operation") == 0)
            snprintf(view->release, sizeof view->release, "%s", rpctl_json_text(event, "release"));
        return;
    }
    struct rpctl_text text = {0};
    rpctl_event_text_clear(view, out);
    if (strcmp(kind, "operation") == 0)
        append_operation(view, event, &text);
    else if (strcmp(kind, "phase") == 0)
        append_phase(view, event, &text);
    else if (strcmp(kind, "warning") == 0)
        append_warning(view, event, &text);
    else if (strcmp(kind, "result") == 0)
        append_result(view, event, &text);
    if (view->live)
        rpctl_wrap_text_append(out, rpctl_text_string(&text), width_of(view));
    else
        rpctl_text_append_bytes(out, rpctl_text_string(&text), text.length);
    out->failed |= text.failed;
    rpctl_text_done(&text);
}
