#include "commands/watch.h"
#include "commands/client.h"
#include "commands/report.h"
#include "commands/supervisor_end.h"
#include "linux/terminal.h"
#include "pure/exit_code.h"
#include "pure/json_get.h"
#include "pure/screen_text.h"
#include "pure/status_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_TIMEOUT_MS 10000
#define TICK_MS          100 /* on a terminal: for the times, the bar, and another size of the terminal */

struct watch {
    const struct rpctl_command_line *line;
    bool live;
    json_t *status;         /* the latest; NULL = none yet */
    int64_t received_ms;    /* monotonic */
    double phase_ms;        /* … when it came */
    struct rpctl_text view; /* what the terminal shows */
    unsigned rows;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The supervisor tells of changes; that time passes is none. */
static void advance_phase(const struct watch *watch)
{
    json_t *operation = json_object_get(watch->status, "operation");
    double elapsed_ms = (double)(monotonic_ms() - watch->received_ms);
    if (json_object_get(operation, "ms"))
        json_object_set_new(operation, "ms", json_real(watch->phase_ms + elapsed_ms));
}

static void draw(struct watch *watch)
{
    struct rpctl_text view = {0};
    struct rpctl_text out = {0};
    unsigned rows = rpctl_terminal_rows(STDOUT_FILENO);
    if (!watch->status) return;
    advance_phase(watch);
    rpctl_status_text_append(&view, watch->status, time(NULL), rpctl_terminal_width(STDOUT_FILENO));
    if (rows != watch->rows || strcmp(rpctl_text_string(&view), rpctl_text_string(&watch->view)) != 0) {
        rpctl_screen_text_append(&out, rpctl_text_string(&view), rows);
        rpctl_report_text(&out);
    }
    rpctl_text_done(&out);
    rpctl_text_done(&watch->view);
    watch->view = view;
    watch->rows = rows;
}

static void print_block(const struct watch *watch, const char *raw, bool is_first)
{
    struct rpctl_text out = {0};
    if (watch->line->json) {
        rpctl_text_append(&out, "%s\n", raw);
    } else {
        if (!is_first) rpctl_text_append(&out, "\n");
        rpctl_status_text_append(&out, watch->status, time(NULL), 0);
    }
    rpctl_report_text(&out);
    rpctl_text_done(&out);
}

/* Takes the event over. True when it was a status; a result says that the request was refused. */
static bool take(struct watch *watch, struct rpctl_client_event *event, int *ret_code)
{
    bool is_first = !watch->status;
    if (strcmp(rpctl_json_text(event->event, "event"), "status") != 0) {
        struct rpctl_report report;
        rpctl_report_init(&report, watch->line);
        rpctl_report_event(&report, event->raw, event->event);
        *ret_code = rpctl_client_result_code(event->event);
        json_decref(event->event);
        return false;
    }
    json_decref(watch->status);
    watch->status = event->event;
    watch->received_ms = monotonic_ms();
    watch->phase_ms = json_number_value(json_object_get(json_object_get(watch->status, "operation"), "ms"));
    if (watch->live)
        draw(watch);
    else
        print_block(watch, event->raw, is_first);
    return true;
}

/* The prompt that follows shall not stand behind the "^C". */
static int interrupted(const struct watch *watch, int signal_number)
{
    if (watch->live && signal_number == SIGINT) putchar('\n');
    fflush(stdout);
    return RPCTL_EXIT_SIGNAL + signal_number;
}

static int follow(struct watch *watch, struct rpctl_client *client)
{
    struct rp_error error = {0};
    for (;;) {
        struct rpctl_client_event event;
        int signal_number = 0, code = 0;
        int tick_ms = watch->live ? TICK_MS : RPCTL_CLIENT_NO_DEADLINE;
        int timeout_ms = watch->status ? tick_ms : FIRST_TIMEOUT_MS;
        int result = rpctl_client_next(client, timeout_ms, &event, &signal_number, &error);
        if (result == 1 && !take(watch, &event, &code)) return code;
        if (result == -ETIMEDOUT && watch->status) draw(watch);
        if (result == 1 || (result == -ETIMEDOUT && watch->status)) continue;
        if (result == -EINTR) return interrupted(watch, signal_number);
        if (result == 0) return rpctl_report_supervisor_end(client, watch->line);
        return rpctl_report_failure(watch->line, RPCTL_EXIT_BUG, error.message);
    }
}

int rpctl_watch_status(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_client client;
    struct watch watch = {.line = line, .live = !line->json && rpctl_terminal_is_live(STDOUT_FILENO)};
    int code =
        rpctl_client_open(&client, line, &(struct rpctl_request){.command = RPCTL_REQUEST_WATCH}, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    code = follow(&watch, &client);
    rpctl_client_close(&client);
    rpctl_text_done(&watch.view);
    json_decref(watch.status);
    return code;
}
