/* What a run prints: events while it goes on, and the result, as JSON lines or for people.
 *
 * {"event":"running"}                      every client has seen the end of a request
 * {"event":"mark","name":…,"t_ms":…}       after "mark NAME"
 * {"event":"answers","ended":…,"t_ms":…}   N requests after "answers N"
 * {"event":"settled","ended":…,"t_ms":…}   after "settle"
 * {"event":"pid","pid":…,"at_ns":…}        the first answer by that process to a request of this window;
 *                                          CLOCK_MONOTONIC
 * {"event":"result","duration_ms":…,"frozen_ms":…,"total":{WINDOW},"windows":[{WINDOW},…]}
 *
 * WINDOW: name, open_ms, answers, failed, fresh and keep_alive (each with answers and failed), failures (by
 * kind), connections, idle_closes, announced_closes, versions, generations, pids (answers by label),
 * latency_us (count, mean, p50, p99, p999, max); but for the total losses, the first LOAD_LOSSES_MAX failed
 * requests (kind, failure, pid, mss, connect_ns; see losses.h). */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "run.h"

/* Events are printed with --json only. */
void load_report_event(const struct load_run *run, const char *event);
void load_report_mark(const struct load_run *run);
void load_report_pid(const struct load_run *run, uint32_t pid, uint64_t at_ns);

/* Prints the result; `*ret_failures` is the number of failed requests. -ENOMEM. */
int load_report_result(struct load_run *run, uint64_t *ret_failures);

#endif
