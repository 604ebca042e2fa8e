#include "pure/status_text.h"
#include "pure/duration.h"
#include "pure/event_text.h"
#include "pure/json_get.h"
#include "pure/timestamp.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The pids last: there may be many, and on a narrow terminal they are cut off. */
enum column { GENERATION, STATE, SHARE, CONNECTIONS, LISTENERS, UP, RELEASE, PIDS, COLUMN_COUNT };

static const char *const headings[COLUMN_COUNT] = {"GEN",       "STATE", "SHARE",   "CONNS",
                                                   "LISTENERS", "UP",    "RELEASE", "PIDS"};

struct row {
    struct rpctl_text cells[COLUMN_COUNT];
};

static void append_since(struct rpctl_text *out, const json_t *object, int64_t now)
{
    int64_t since;
    char up[RPCTL_DURATION_BYTES];
    if (rpctl_timestamp_parse(&since, rpctl_json_text(object, "since")) < 0) {
        rpctl_text_append(out, "?");
        return;
    }
    rpctl_duration_describe_uptime(since < now ? (uint64_t)(now - since) : 0, up);
    rpctl_text_append(out, "%s", up);
}

static bool is_state(const json_t *object, const char *state)
{
    return strcmp(rpctl_json_text(object, "state"), state) == 0;
}

static bool is_over(const json_t *instance)
{
    return is_state(instance, "exited") || is_state(instance, "failed");
}

static void append_count(struct rpctl_text *out, uint64_t count, const char *what)
{
    rpctl_text_append(out, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

/* "-": it could not be counted. */
static void append_connections(struct rpctl_text *out, const json_t *generation)
{
    if (json_object_get(generation, "connections"))
        rpctl_text_append(out, "%" PRIu64, rpctl_json_number(generation, "connections"));
    else
        rpctl_text_append(out, "-");
}

static void append_pids(struct rpctl_text *out, const json_t *instances)
{
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        uint64_t restarts = rpctl_json_number(instance, "restarts");
        uint64_t pid = rpctl_json_number(instance, "pid");
        if (i > 0) rpctl_text_append(out, " ");
        if (pid == 0 || is_over(instance))
            rpctl_text_append(out, "-");
        else
            rpctl_text_append(out, "%" PRIu64, pid);
        if (restarts > 0)
            rpctl_text_append(out, "(%" PRIu64 " restart%s)", restarts, restarts > 1 ? "s" : "");
    }
    if (json_array_size(instances) == 0) rpctl_text_append(out, "-");
}

static void fill_row(struct row *row, const json_t *generation, int64_t now)
{
    rpctl_text_append(&row->cells[GENERATION], "%" PRIu64, rpctl_json_number(generation, "generation"));
    rpctl_text_append_clean(&row->cells[STATE], rpctl_json_text(generation, "state"), RPCTL_TEXT_NO_LIMIT);
    rpctl_text_append(&row->cells[SHARE], "%" PRIu64 " %%", rpctl_json_number(generation, "share"));
    append_connections(&row->cells[CONNECTIONS], generation);
    rpctl_text_append(&row->cells[LISTENERS], "%" PRIu64, rpctl_json_number(generation, "listeners"));
    append_since(&row->cells[UP], generation, now);
    append_pids(&row->cells[PIDS], json_object_get(generation, "instances"));
    rpctl_text_append_clean(&row->cells[RELEASE], rpctl_json_text(generation, "release"),
                            RPCTL_TEXT_NO_LIMIT);
}

static void fill_headings(struct row *row)
{
    for (int i = 0; i < COLUMN_COUNT; i++) rpctl_text_append(&row->cells[i], "%s", headings[i]);
}

static void free_row(struct row *row)
{
    for (int i = 0; i < COLUMN_COUNT; i++) rpctl_text_done(&row->cells[i]);
}

static void widen(size_t widths[COLUMN_COUNT], const struct row *row)
{
    for (int i = 0; i < COLUMN_COUNT; i++) {
        size_t columns = rpctl_text_columns(rpctl_text_string(&row->cells[i]));
        if (columns > widths[i]) widths[i] = columns;
    }
}

/* One column stays free: in the last one a terminal may wrap. */
static size_t columns_of(unsigned width)
{
    return width > 0 ? width - 1 : RPCTL_TEXT_NO_LIMIT;
}

static void append_line(struct rpctl_text *out, struct rpctl_text *line, unsigned width)
{
    rpctl_text_append_clean(out, rpctl_text_string(line), columns_of(width));
    rpctl_text_append(out, "\n");
    rpctl_text_clear(line);
}

static void append_row(struct rpctl_text *out, const struct row *row, const size_t widths[COLUMN_COUNT],
                       unsigned width)
{
    struct rpctl_text line = {0};
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const char *cell = rpctl_text_string(&row->cells[i]);
        rpctl_text_append(&line, "%s", cell);
        if (i < COLUMN_COUNT - 1) rpctl_text_append_blanks(&line, widths[i] - rpctl_text_columns(cell) + 2);
    }
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

static void append_generations(struct rpctl_text *out, const json_t *generations, int64_t now, unsigned width)
{
    size_t widths[COLUMN_COUNT] = {0};
    struct row heading = {0};
    fill_headings(&heading);
    widen(widths, &heading);
    for (size_t i = 0; i < json_array_size(generations); i++) {
        struct row row = {0};
        fill_row(&row, json_array_get(generations, i), now);
        widen(widths, &row);
        free_row(&row);
    }
    append_row(out, &heading, widths, width);
    free_row(&heading);
    for (size_t i = 0; i < json_array_size(generations); i++) {
        struct row row = {0};
        fill_row(&row, json_array_get(generations, i), now);
        append_row(out, &row, widths, width);
        free_row(&row);
    }
}

static void append_words(struct rpctl_text *out, const json_t *words)
{
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        rpctl_text_append(out, " ");
        rpctl_text_append_clean(out, word ? word : "", RPCTL_TEXT_NO_LIMIT);
    }
}

static void append_service(struct rpctl_text *out, const json_t *status, unsigned width)
{
    struct rpctl_text line = {0};
    const char *state = rpctl_json_text(status, "state");
    rpctl_text_append(&line, "service     %s", rpctl_json_text(status, "service"));
    if (state[0] && !is_state(status, "running")) rpctl_text_append(&line, " (%s)", state);
    rpctl_text_append(&line, ": %s", rpctl_json_text(status, "release"));
    append_words(&line, json_object_get(status, "args"));
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

static void append_operation(struct rpctl_text *out, const json_t *operation, int64_t now, unsigned width)
{
    if (!json_is_object(operation)) return;
    struct rpctl_text line = {0};
    rpctl_text_append(&line, "operation   %s", rpctl_json_text(operation, "operation"));
    uint64_t from = rpctl_json_number(operation, "from");
    uint64_t to = rpctl_json_number(operation, "to");
    if (from > 0 && to > 0) rpctl_text_append(&line, " %" PRIu64 " -> %" PRIu64, from, to);
    if (rpctl_json_text(operation, "phase")[0])
        rpctl_text_append(&line, ": %s", rpctl_json_text(operation, "phase"));
    rpctl_text_append(&line, ", for ");
    append_since(&line, operation, now);
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

static void append_supervisor(struct rpctl_text *out, const json_t *supervisor, int64_t now, unsigned width)
{
    struct rpctl_text line = {0};
    rpctl_text_append(&line, "supervisor  pid %" PRIu64 ", version %s, up ",
                      rpctl_json_number(supervisor, "pid"), rpctl_json_text(supervisor, "version"));
    append_since(&line, supervisor, now);
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

/* The addresses of the generation that serves; they are those of the service. */
static void append_addresses(struct rpctl_text *out, const json_t *generations, unsigned width)
{
    for (size_t i = 0; i < json_array_size(generations); i++) {
        const json_t *generation = json_array_get(generations, i);
        if (!is_state(generation, "serving")) continue;
        struct rpctl_text line = {0};
        rpctl_text_append(&line, "listening  ");
        append_words(&line, json_object_get(generation, "addresses"));
        append_line(out, &line, width);
        rpctl_text_done(&line);
        return;
    }
}

/* ---- what is more to be said of a generation ---- */

static uint64_t seconds_until(const json_t *object, const char *key, int64_t now)
{
    int64_t when;
    if (rpctl_timestamp_parse(&when, rpctl_json_text(object, key)) < 0) return 0;
    return when > now ? (uint64_t)(when - now) : 0;
}

static void append_drain(struct rpctl_text *out, const json_t *generation, int64_t now, unsigned width)
{
    const json_t *drain = json_object_get(generation, "drain");
    if (!json_is_object(drain)) return;
    struct rpctl_text line = {0};
    rpctl_text_append(&line, "draining    generation %" PRIu64 ": ",
                      rpctl_json_number(generation, "generation"));
    if (json_object_get(generation, "connections")) {
        append_count(&line, rpctl_json_number(generation, "connections"), "connection");
        rpctl_text_append(&line, " left, ");
    }
    rpctl_text_append(&line, "for ");
    append_since(&line, drain, now);
    if (!json_object_get(drain, "deadline"))
        rpctl_text_append(&line, ", not told to stop yet");
    else
        rpctl_text_append(&line, ", killed in %" PRIu64 " s", seconds_until(drain, "deadline", now));
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

static void append_exited(struct rpctl_text *out, const json_t *generation, const json_t *instance,
                          int64_t now, unsigned width)
{
    struct rpctl_text line = {0};
    rpctl_text_append(&line, "%-11s generation %" PRIu64 ", instance %" PRIu64 ": %s, ",
                      rpctl_json_text(instance, "state"), rpctl_json_number(generation, "generation"),
                      rpctl_json_number(instance, "instance"), rpctl_json_text(instance, "ended"));
    append_count(&line, rpctl_json_number(instance, "restarts"), "restart");
    if (is_state(instance, "failed")) rpctl_text_append(&line, ", given up");
    if (json_object_get(instance, "next_try"))
        rpctl_text_append(&line, ", next try in %" PRIu64 " s", seconds_until(instance, "next_try", now));
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

static void append_remedy(struct rpctl_text *out, const json_t *generation, unsigned width)
{
    struct rpctl_text line = {0};
    rpctl_text_append(
        &line, "            %s; why: rpctl logs; launch again: rpctl restart, or rpctl upgrade BINARY",
        is_state(generation, "failed") ? "nobody serves, clients are refused" : "the others serve");
    append_line(out, &line, width);
    rpctl_text_done(&line);
}

/* That a process of a generation that leaves has ended is no news. */
static void append_notes(struct rpctl_text *out, const json_t *generation, int64_t now, unsigned width)
{
    const json_t *instances = json_object_get(generation, "instances");
    bool failed = false;
    append_drain(out, generation, now, width);
    if (is_state(generation, "draining") || is_state(generation, "stopping")) return;
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        if (is_over(instance)) append_exited(out, generation, instance, now, width);
        failed = failed || is_state(instance, "failed");
    }
    if (failed) append_remedy(out, generation, width);
}

static void append_all_notes(struct rpctl_text *out, const json_t *generations, int64_t now, unsigned width)
{
    struct rpctl_text notes = {0};
    for (size_t i = 0; i < json_array_size(generations); i++)
        append_notes(&notes, json_array_get(generations, i), now, width);
    if (notes.length > 0) rpctl_text_append(out, "\n%s", rpctl_text_string(&notes));
    rpctl_text_done(&notes);
}

/* ---- what is under way, and what was last ---- */

/* Appends what an operation's terminal shows for the event, each line cut. */
static void append_event(struct rpctl_text *out, struct rpctl_event_text *view, const json_t *event,
                         unsigned width)
{
    struct rpctl_text text = {0};
    rpctl_event_text_append(view, event, &text);
    view->line_open = false; /* a live line is one of ours, with an end */
    const char *from = rpctl_text_string(&text);
    while (*from) {
        struct rpctl_text line = {0};
        size_t length = strcspn(from, "\n");
        rpctl_text_append_bytes(&line, from, length);
        append_line(out, &line, width);
        rpctl_text_done(&line);
        from += length + (from[length] == '\n');
    }
    rpctl_text_done(&text);
}

static void append_progress(struct rpctl_text *out, struct rpctl_event_text *view, const json_t *operation,
                            unsigned width)
{
    const char *phase = rpctl_json_text(operation, "phase");
    uint64_t total = rpctl_json_number(operation, "total");
    uint64_t ms = rpctl_json_number(operation, "ms");
    if (phase[0] == '\0') return;
    json_t *event = json_pack("{ss,ss,ss,sI,sI}", "event", "phase", "phase", phase, "state", "progress",
                              "done", (json_int_t)(ms < total ? ms : total), "total", (json_int_t)total);
    view->live = true;
    append_event(out, view, event, width);
    json_decref(event);
}

/* As the terminal shows it in which the operation was begun. */
static void append_story(struct rpctl_text *out, const json_t *status, unsigned width)
{
    const json_t *operation = json_object_get(status, "operation");
    const json_t *events = json_object_get(operation, "events");
    struct rpctl_event_text view = {.live = width > 0, .width = width > 0 ? width - 1 : 0};
    if (!json_is_object(operation)) return;
    json_t *heading = json_copy((json_t *)(uintptr_t)operation);
    json_object_set_new(heading, "event", json_string("operation"));
    json_object_set_new(heading, "service", json_string(rpctl_json_text(status, "service")));
    rpctl_text_append(out, "\n");
    append_event(out, &view, heading, width);
    for (size_t i = 0; i < json_array_size(events); i++)
        append_event(out, &view, json_array_get(events, i), width);
    append_progress(out, &view, operation, width);
    json_decref(heading);
}

static void append_last(struct rpctl_text *out, const json_t *status, int64_t now, unsigned width)
{
    const json_t *last = json_object_get(status, "last");
    struct rpctl_event_text view = {0};
    struct rpctl_text line = {0};
    int64_t ended;
    char ago[RPCTL_DURATION_BYTES];
    if (json_object_get(status, "operation") ||
        rpctl_timestamp_parse(&ended, rpctl_json_text(last, "ended")) < 0)
        return;
    json_t *result = json_copy((json_t *)(uintptr_t)last);
    json_object_set_new(result, "event", json_string("result"));
    rpctl_duration_describe_uptime(ended < now ? (uint64_t)(now - ended) : 0, ago);
    rpctl_text_append(&line, "last        %s, %s ago: ", rpctl_json_text(last, "operation"), ago);
    rpctl_event_text_append(&view, result, &line);
    if (line.length > 0) line.bytes[--line.length] = '\0'; /* its newline */
    append_line(out, &line, width);
    rpctl_text_done(&line);
    json_decref(result);
}

void rpctl_status_text_append(struct rpctl_text *out, const json_t *status, int64_t now, unsigned width)
{
    const json_t *generations = json_object_get(status, "generations");
    append_service(out, status, width);
    append_addresses(out, generations, width);
    append_operation(out, json_object_get(status, "operation"), now, width);
    append_last(out, status, now, width);
    append_supervisor(out, json_object_get(status, "supervisor"), now, width);
    rpctl_text_append(out, "\n");
    append_generations(out, generations, now, width);
    append_all_notes(out, generations, now, width);
    append_story(out, status, width);
}
