#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static uint64_t elapsed_ms(const struct load_run *run)
{
    return (load_now_ns() - run->start_ns) / 1000000;
}

static void print_line(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

void load_report_event(const struct load_run *run, const char *event)
{
    if (!run->options->json) return;
    json_t *object = json_object();
    json_object_set_new(object, "event", json_string(event));
    json_object_set_new(object, "t_ms", number(elapsed_ms(run)));
    json_object_set_new(object, "ended", number(run->ended));
    print_line(object);
}

void load_report_mark(const struct load_run *run)
{
    if (!run->options->json) return;
    json_t *object = json_object();
    json_object_set_new(object, "event", json_string("mark"));
    json_object_set_new(object, "name", json_string(run->windows.current->name));
    json_object_set_new(object, "t_ms", number(elapsed_ms(run)));
    print_line(object);
}

void load_report_pid(const struct load_run *run, uint32_t pid, uint64_t at_ns)
{
    if (!run->options->json) return;
    json_t *object = json_object();
    json_object_set_new(object, "event", json_string("pid"));
    json_object_set_new(object, "pid", number(pid));
    json_object_set_new(object, "at_ns", number(at_ns));
    print_line(object);
}

static json_t *failures_to_json(const struct load_tally *tally)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++)
        json_object_set_new(object, load_failure_name((enum load_failure)i),
                            number(load_tally_failures_of(tally, (enum load_failure)i)));
    return object;
}

static json_t *kind_to_json(const struct load_tally *tally, enum load_client_kind kind)
{
    uint64_t failed = 0;
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++) failed += tally->failures[kind][i];
    json_t *object = json_object();
    json_object_set_new(object, "answers", number(tally->answers[kind]));
    json_object_set_new(object, "failed", number(failed));
    return object;
}

static json_t *counter_to_json(const struct load_counter *counter)
{
    json_t *object = json_object();
    for (size_t i = 0; i < counter->used; i++)
        json_object_set_new(object, counter->items[i].label, number(counter->items[i].count));
    return object;
}

static json_t *losses_to_json(const struct load_losses *losses)
{
    json_t *array = json_array();
    for (size_t i = 0; i < losses->count; i++) {
        const struct load_loss *loss = &losses->items[i];
        json_t *object = json_object();
        json_object_set_new(object, "kind", json_string(load_client_kind_name(loss->kind)));
        json_object_set_new(object, "failure", json_string(load_failure_name(loss->failure)));
        json_object_set_new(object, "pid", number(loss->server_pid));
        json_object_set_new(object, "mss", number(loss->mss));
        json_object_set_new(object, "connect_ns", number(loss->connect_ns));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *latency_to_json(const struct load_histogram *histogram)
{
    json_t *object = json_object();
    uint64_t mean = histogram->count > 0 ? histogram->sum_us / histogram->count : 0;
    json_object_set_new(object, "count", number(histogram->count));
    json_object_set_new(object, "mean", number(mean));
    json_object_set_new(object, "p50", number(load_histogram_quantile_us(histogram, 5000)));
    json_object_set_new(object, "p99", number(load_histogram_quantile_us(histogram, 9900)));
    json_object_set_new(object, "p999", number(load_histogram_quantile_us(histogram, 9990)));
    json_object_set_new(object, "max", number(histogram->max_us));
    return object;
}

static json_t *window_to_json(const char *name, uint64_t open_ns, const struct load_tally *tally)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(name));
    json_object_set_new(object, "open_ms", number(open_ns / 1000000));
    json_object_set_new(object, "answers", number(load_tally_answers(tally)));
    json_object_set_new(object, "failed", number(load_tally_failures(tally)));
    json_object_set_new(object, "fresh", kind_to_json(tally, LOAD_FRESH));
    json_object_set_new(object, "keep_alive", kind_to_json(tally, LOAD_KEEP_ALIVE));
    json_object_set_new(object, "failures", failures_to_json(tally));
    json_object_set_new(object, "connections", number(tally->connections));
    json_object_set_new(object, "idle_closes", number(tally->idle_closes));
    json_object_set_new(object, "announced_closes", number(tally->announced_closes));
    json_object_set_new(object, "versions", counter_to_json(&tally->versions));
    json_object_set_new(object, "generations", counter_to_json(&tally->generations));
    json_object_set_new(object, "pids", counter_to_json(&tally->pids));
    json_object_set_new(object, "latency_us", latency_to_json(&tally->latency_us));
    return object;
}

static void print_json(const struct load_run *run, const struct load_tally *total, uint64_t duration_ns)
{
    const struct load_windows *windows = &run->windows;
    json_t *array = json_array();
    for (size_t i = 0; i < windows->count; i++) {
        const struct load_window *window = windows->items[i];
        json_t *item = window_to_json(window->name, window->open_ns, &window->tally);
        json_object_set_new(item, "losses", losses_to_json(&window->losses));
        json_array_append_new(array, item);
    }
    json_t *object = json_object();
    json_object_set_new(object, "event", json_string("result"));
    json_object_set_new(object, "duration_ms", number(duration_ns / 1000000));
    json_object_set_new(object, "frozen_ms", number(run->frozen_ns / 1000000));
    json_object_set_new(object, "total", window_to_json("total", duration_ns, total));
    json_object_set_new(object, "windows", array);
    print_line(object);
}

static void print_window(const char *name, const struct load_tally *tally)
{
    const struct load_histogram *latency = &tally->latency_us;
    printf("%-12s %" PRIu64 " answers, %" PRIu64 " failed, %" PRIu64
           " idle closes; p50 %.2f ms, p99 %.2f ms, "
           "p99.9 %.2f ms, slowest %.2f ms\n",
           name, load_tally_answers(tally), load_tally_failures(tally), tally->idle_closes,
           (double)load_histogram_quantile_us(latency, 5000) / 1000,
           (double)load_histogram_quantile_us(latency, 9900) / 1000,
           (double)load_histogram_quantile_us(latency, 9990) / 1000, (double)latency->max_us / 1000);
}

static void print_text(const struct load_run *run, const struct load_tally *total)
{
    for (size_t i = 0; i < run->windows.count; i++)
        print_window(run->windows.items[i]->name, &run->windows.items[i]->tally);
    print_window("total", total);
    for (size_t i = 0; i < total->versions.used; i++)
        printf("  version %-16s %" PRIu64 "\n", total->versions.items[i].label,
               total->versions.items[i].count);
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++) {
        uint64_t count = load_tally_failures_of(total, (enum load_failure)i);
        if (count > 0)
            printf("  failed: %-16s %" PRIu64 "\n", load_failure_name((enum load_failure)i), count);
    }
}

int load_report_result(struct load_run *run, uint64_t *ret_failures)
{
    uint64_t now_ns = load_now_ns();
    struct load_tally *total = calloc(1, sizeof(*total));
    if (!total) return -ENOMEM;
    load_windows_settle(&run->windows, now_ns);
    for (size_t i = 0; i < run->windows.count; i++) load_tally_merge(total, &run->windows.items[i]->tally);
    *ret_failures = load_tally_failures(total);
    if (run->options->json)
        print_json(run, total, now_ns - run->start_ns);
    else
        print_text(run, total);
    free(total);
    return 0;
}
