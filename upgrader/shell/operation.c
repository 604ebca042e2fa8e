#include "shell/operation.h"

#include "pure/exit_code.h"
#include "pure/json_memory.h"
#include "pure/request.h"
#include "pure/timestamp.h"
#include "shell/service.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double since_ms(uint64_t begun_ns)
{
    return (double)(uv_hrtime() - begun_ns) / 1e6;
}

struct rpctl_operation *rpctl_operation_new(struct rpctl_service *service, const char *kind,
                                            const struct rpctl_policy *policy)
{
    struct rpctl_operation *operation = calloc(1, sizeof *operation);

    if (!operation) return NULL;
    operation->service = service;
    operation->kind = kind;
    operation->policy = *policy;
    operation->since_s = time(NULL);
    operation->begun_ns = uv_hrtime();
    operation->by_uid = operation->by_pid = -1;
    operation->next = service->operations;
    service->operations = operation;
    rpctl_service_watch_operations(service);
    return operation;
}

void rpctl_operation_free(struct rpctl_operation *operation)
{
    struct rpctl_operation **link = &operation->service->operations;

    assert(!operation->witness);
    while (*link != operation) link = &(*link)->next;
    *link = operation->next;
    json_decref(operation->log);
    json_decref(operation->more);
    json_decref(operation->events);
    free(operation);
}

void rpctl_operation_follow(struct rpctl_operation *operation, struct rpctl_control_client *client)
{
    assert(operation->follower_count < RPCTL_CONTROL_CLIENTS_MAX); /* the server takes no more clients */
    operation->followers[operation->follower_count++] = client;
}

void rpctl_operation_forget(struct rpctl_operation *operation, const struct rpctl_control_client *client)
{
    for (size_t i = 0; i < operation->follower_count; i++) {
        if (operation->followers[i] != client) continue;
        operation->followers[i] = operation->followers[--operation->follower_count];
        return;
    }
}

static void send_line(struct rpctl_operation *operation, const char *line)
{
    for (size_t i = 0; i < operation->follower_count; i++)
        rpctl_control_client_send(operation->followers[i], line);
}

/* To all followers and, in the foreground, to the terminal. Steals the event. One that lacks something, or is
 * NULL, for want of memory is dropped, and false returned: the operation matters more than its report. */
static bool emit(struct rpctl_operation *operation, json_t *event)
{
    bool whole;
    char *line;

    json_object_set_new(event, "service", json_string(operation->service->config->name));
    json_object_set_new(event, "schema", json_integer(RPCTL_SCHEMA));
    line = event ? json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    whole = line && !rpctl_json_memory_was_short();
    if (whole) {
        send_line(operation, line);
        rpctl_service_show(operation->service, event);
    }
    free(line);
    json_decref(event);
    rpctl_json_memory_watch(); /* for the next one */
    return whole;
}

/* Of more than there is room for, the latest. */
static void keep(struct rpctl_operation *operation, json_t *event)
{
    if (!operation->events) operation->events = json_array();
    if (json_array_size(operation->events) == RPCTL_OPERATION_EVENTS_MAX)
        json_array_remove(operation->events, 0);
    json_array_append(operation->events, event);
}

void rpctl_operation_announce(struct rpctl_operation *operation)
{
    char since[RPCTL_TIMESTAMP_BYTES];

    rpctl_timestamp_format(operation->since_s, since);
    emit(operation, json_pack("{ss,ss,sI,sI,ss,ss}", "event", "operation", "operation", operation->kind,
                              "from", (json_int_t)operation->from, "to", (json_int_t)operation->to, "release",
                              operation->release, "since", since));
}

static void emit_phase(struct rpctl_operation *operation, const char *state, const char *detail, json_t *more)
{
    json_t *event = json_pack("{ss,ss,ss,ss}", "event", "phase", "phase", operation->phase, "state", state,
                              "detail", detail);

    if (event && strcmp(state, "begin") != 0)
        json_object_set_new(event, "ms", json_real(since_ms(operation->phase_begun_ns)));
    if (event && more) json_object_update(event, more);
    if (more) json_decref(more);
    if (strcmp(state, "end") == 0 || strcmp(state, "fail") == 0) keep(operation, event);
    emit(operation, event);
}

void rpctl_operation_begin(struct rpctl_operation *operation, const char *phase, unsigned total_ms)
{
    if (operation->phase) rpctl_operation_end(operation, NULL, "%s", "");
    operation->phase = phase;
    operation->phase_begun_ns = uv_hrtime();
    operation->phase_total_ms = total_ms;
    emit_phase(operation, "begin", "", NULL);
}

void rpctl_operation_end(struct rpctl_operation *operation, json_t *more, const char *format, ...)
{
    char detail[RPCTL_OPERATION_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (!operation->phase) {
        if (more) json_decref(more);
        return;
    }
    emit_phase(operation, "end", detail, more);
    operation->phase = NULL;
}

void rpctl_operation_fail(struct rpctl_operation *operation, const char *format, ...)
{
    char detail[RPCTL_OPERATION_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (!operation->reason[0]) memcpy(operation->reason, detail, sizeof detail);
    if (!operation->phase) return;
    emit_phase(operation, "fail", detail, NULL);
    operation->phase = NULL;
}

void rpctl_operation_progress(struct rpctl_operation *operation)
{
    json_int_t done = (json_int_t)since_ms(operation->phase_begun_ns);

    if (!operation->phase || !operation->phase_total_ms) return;
    if (done > (json_int_t)operation->phase_total_ms) done = (json_int_t)operation->phase_total_ms;
    emit_phase(operation, "progress", "",
               json_pack("{sI,sI}", "done", done, "total", (json_int_t)operation->phase_total_ms));
}

void rpctl_operation_warn(struct rpctl_operation *operation, const char *format, ...)
{
    char text[RPCTL_OPERATION_DETAIL_BYTES];
    json_t *event;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    event = json_pack("{ss,ss}", "event", "warning", "text", text);
    keep(operation, event);
    emit(operation, event);
}

static json_t *result_event(const struct rpctl_operation *operation)
{
    json_t *event =
        json_pack("{ss,ss,si,ss,ss,sI,sf}", "event", "result", "service", operation->service->config->name,
                  "exit", operation->exit, "outcome", rpctl_exit_outcome(operation->exit), "operation",
                  operation->kind, "generation", (json_int_t)rpctl_service_serving_number(operation->service),
                  "ms", since_ms(operation->begun_ns));

    if (!event) return NULL;
    if (operation->reason[0]) json_object_set_new(event, "reason", json_string(operation->reason));
    if (operation->log) json_object_set(event, "log", operation->log);
    if (operation->more) json_object_update(event, operation->more);
    if (operation->drained) {
        json_object_set_new(event, "finished", json_integer((json_int_t)operation->finished));
        json_object_set_new(event, "cut", json_integer((json_int_t)operation->cut));
    }
    return event;
}

/* The witness's word counts only where all else went well: a rollback stays a rollback. */
static void judge_witness(struct rpctl_operation *operation, const struct rpctl_witness_figures *figures)
{
    if (operation->exit != RPCTL_EXIT_DONE || figures->failed == 0) return;
    operation->exit = RPCTL_EXIT_NOT_SPOTLESS;
    snprintf(operation->reason, sizeof operation->reason,
             "%lu of the witness's %lu requests failed, the first with: %s", figures->failed,
             figures->requests, figures->first_failure);
}

static json_t *witness_event(const struct rpctl_witness_figures *figures)
{
    return json_pack("{sI,sI,sf}", "requests", (json_int_t)figures->requests, "failed",
                     (json_int_t)figures->failed, "slowest_ms", (double)figures->slowest_ns / 1e6);
}

/* The outcome must be heard, also when there is no memory for all of the result. */
static void send_plain_result(struct rpctl_operation *operation)
{
    char line[RPCTL_RESULT_LINE_BYTES];
    struct rpctl_result_line result = {.service = operation->service->config->name,
                                       .exit = operation->exit,
                                       .reason = operation->reason,
                                       .operation = operation->kind,
                                       .generation = rpctl_service_serving_number(operation->service),
                                       .ms = since_ms(operation->begun_ns)};

    rpctl_result_line_format(line, &result);
    send_line(operation, line);
    if (operation->to > 0) memcpy(operation->service->plain_result, line, sizeof line);
}

/* What was not whole enough to be sent is not to be shown later either. */
static void keep_result(struct rpctl_service *service, json_t *event)
{
    json_decref(service->last_result);
    service->last_result = json_incref(event);
    service->plain_result[0] = '\0';
    service->last_result_s = time(NULL);
}

static void send_result(struct rpctl_operation *operation, const struct rpctl_witness_figures *figures)
{
    struct rpctl_service *service = operation->service;
    int exit_code = operation->exit;
    json_t *event;
    bool whole;

    rpctl_json_memory_watch();
    event = result_event(operation);
    if (event && figures) json_object_set_new(event, "witness", witness_event(figures));
    whole = emit(operation, json_incref(event));
    if (operation->to > 0) keep_result(service, whole ? event : NULL); /* not one refused before it began */
    if (!whole) send_plain_result(operation);
    json_decref(event);
    for (size_t i = 0; i < operation->follower_count; i++)
        rpctl_control_client_finish(operation->followers[i]);
    operation->follower_count = 0;
    rpctl_operation_free(operation);
    rpctl_service_on_operation_over(service, exit_code);
}

static void on_witness(const struct rpctl_witness_figures *figures, void *data)
{
    struct rpctl_operation *operation = data;

    operation->witness = NULL;
    judge_witness(operation, figures);
    send_result(operation, figures);
}

void rpctl_operation_finish(struct rpctl_operation *operation, int exit_code)
{
    assert(!operation->ended);
    rpctl_leaving_disown(operation->service, operation);
    operation->ended = true;
    operation->exit = exit_code;
    if (operation->witness)
        rpctl_witness_stop(operation->witness, on_witness, operation);
    else
        send_result(operation, NULL);
}

double rpctl_operation_phase_ms(const struct rpctl_operation *operation)
{
    return since_ms(operation->phase_begun_ns);
}

void rpctl_operation_describe(const struct rpctl_operation *operation, char *text, size_t bytes)
{
    char since[RPCTL_TIMESTAMP_BYTES];
    char by[64] = "";

    rpctl_timestamp_format(operation->since_s, since);
    if (operation->by_pid >= 0)
        snprintf(by, sizeof by, ", asked for by uid %ld, pid %ld", operation->by_uid, operation->by_pid);
    snprintf(text, bytes, "%s %u -> %u (%s) is under way since %s%s", operation->kind, operation->from,
             operation->to, operation->phase ? operation->phase : "ending", since, by);
}
