#include "pure/status_text.h"
#include "pure/duration.h"
#include "pure/json_get.h"
#include "pure/timestamp.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum column { GENERATION, STATE, SHARE, LISTENERS, UP, PIDS, RELEASE, COLUMN_COUNT };

static const char *const headings[COLUMN_COUNT] = {"GEN", "STATE", "SHARE",  "LISTENERS",
                                                   "UP",  "PIDS",  "RELEASE"};

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

static void append_pids(struct rpctl_text *out, const json_t *instances)
{
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        uint64_t restarts = rpctl_json_number(instance, "restarts");
        rpctl_text_append(out, "%s%" PRIu64, i > 0 ? " " : "", rpctl_json_number(instance, "pid"));
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

static void append_line(struct rpctl_text *out, struct rpctl_text *line, unsigned width)
{
    rpctl_text_append_clean(out, rpctl_text_string(line), width > 0 ? width : RPCTL_TEXT_NO_LIMIT);
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
    rpctl_text_append(&line, "service     %s: %s", rpctl_json_text(status, "service"),
                      rpctl_json_text(status, "release"));
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
        rpctl_text_append(&line, ", phase %s", rpctl_json_text(operation, "phase"));
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
        if (strcmp(rpctl_json_text(generation, "state"), "serving") != 0) continue;
        struct rpctl_text line = {0};
        rpctl_text_append(&line, "listening  ");
        append_words(&line, json_object_get(generation, "addresses"));
        append_line(out, &line, width);
        rpctl_text_done(&line);
        return;
    }
}

void rpctl_status_text_append(struct rpctl_text *out, const json_t *status, int64_t now, unsigned width)
{
    const json_t *generations = json_object_get(status, "generations");
    append_service(out, status, width);
    append_addresses(out, generations, width);
    append_operation(out, json_object_get(status, "operation"), now, width);
    append_supervisor(out, json_object_get(status, "supervisor"), now, width);
    rpctl_text_append(out, "\n");
    append_generations(out, generations, now, width);
}
