/* The whole state of one supervisor, and the parts of the shell that work on it.
 *
 * Private to shell/. One struct, one thread (the loop's); only `groups` and `steered_generation` belong to
 * the jobs. Each group of functions below is one file. */
#ifndef RPCTL_SERVICE_H
#define RPCTL_SERVICE_H

#include "linux/groups.h"
#include "linux/state_file.h"
#include "pure/result_line.h"
#include "pure/rollout.h"
#include "shell/census.h"
#include "shell/generation.h"
#include "shell/jobs.h"
#include "shell/keeper.h"
#include "shell/layout.h"
#include "shell/links.h"
#include "shell/operation.h"
#include "shell/supervisor.h"
#include "shell/watch.h"

#include <rp/error.h>
#include <stdatomic.h>
#include <uv.h>

#define RPCTL_LOOK_INTERVAL_MS  2    /* between two looks at the accept queues */
#define RPCTL_STOP_GRACE_MS     5000 /* for a release that failed before the shift: SIGTERM to SIGKILL */
#define RPCTL_PROBE_TIMEOUT_MS  2000 /* for the answer to one probe */
#define RPCTL_RETRY_MS          100  /* after a steering call that has no way out but to succeed */
#define RPCTL_BAKE_SLACK_MS     100  /* a bake that lasts longer than ordered was prolonged */
#define RPCTL_PARENT_GRACE_MS   1000 /* for `rpctl start` to follow the start before it begins */
#define RPCTL_LISTEN_POLL_MS    10   /* between two looks at what a server that tells nothing listens on */
#define RPCTL_LOG_KEEP_BYTES    (16u << 20) /* of each generation's log */
#define RPCTL_LOG_KEEP_FILES    10
#define RPCTL_UPKEEP_MS         5000 /* between two looks at what grows, and at what is missing */
#define RPCTL_LAST_LINES        10   /* of the new release's log, shown with a failure */
#define RPCTL_POSTED_EVENTS_MAX 32

struct rpctl_handoff_log;
struct rpctl_probe_round;
struct rpctl_reexec;
struct rpctl_takeover;

/* An event for the rollout, with the reason for one that may end the operation. */
struct rpctl_posted {
    enum rpctl_rollout_event event;
    char why[RPCTL_OPERATION_DETAIL_BYTES];
};

/* RUNNING until the first SIGTERM, SIGINT or `stop`. */
enum rpctl_service_state {
    RPCTL_SERVICE_RUNNING,
    RPCTL_SERVICE_STOPPING, /* every process was told to stop */
    RPCTL_SERVICE_CLOSING,  /* none is left; handles are being closed */
};

struct rpctl_service {
    const struct rpctl_supervisor_config *config;
    enum rpctl_service_state state;
    bool released; /* while stopping: our duplicates are closed, every process was told */
    int64_t stop_since_ms, stop_deadline_ms; /* wall clock, of that */
    int exit_code;                           /* of the supervisor */
    uv_loop_t loop;
    int64_t since_s;
    uint64_t start_time; /* of this process, in clock ticks since boot */
    char boot_id[RPCTL_BOOT_ID_BYTES];
    int cwd_fd;
    mode_t umask;
    char notify_path[RPCTL_SOCKET_PATH_BYTES];
    char instances_path[RPCTL_SOCKET_PATH_BYTES];

    struct rpctl_jobs jobs;
    struct rpctl_groups *groups; /* jobs only */
    /* Written by jobs only, read by the status too, which then tells what the kernel does even where the loop
     * has not heard of it yet: who has all traffic; 0 = nobody was steered to. */
    _Atomic unsigned steered_generation;
    bool unsteered;             /* after a re-execution: what is steered is not known yet */
    struct rpctl_layout layout; /* the jobs' word about the groups */
    struct rpctl_keeper keeper;
    struct rpctl_takeover *takeover; /* under way, or NULL */
    struct rpctl_reexec *reexec;     /* under way, or NULL */
    bool abandons;                   /* ends, and leaves the processes as they are */

    struct rpctl_generation *generations; /* newest first */
    struct rpctl_generation *serving;     /* the old one during an upgrade; NULL before the first start */
    struct rpctl_generation *candidate;   /* the new one during an operation */
    struct rpctl_generation *failed;      /* the one that served last, and was given up; else NULL */
    bool failing;                         /* … and its listeners are being closed */
    struct rpctl_state_crash crash;       /* its `how` is this: */
    char crash_how[RPCTL_PROCESS_STATUS_BYTES];
    bool attend_failing; /* the last try to steer by who is there has failed, and that was logged */
    unsigned last_number;
    struct rpctl_policy policy; /* of the service; an upgrade's own options are for that upgrade */

    struct rpctl_rollout rollout;
    struct rpctl_posted posted[RPCTL_POSTED_EVENTS_MAX];
    size_t posted_count;
    bool stepping;
    bool pinned_waits;                  /* the groups are pinned, and the disk does not know yet who serves */
    uint64_t pinned_state;              /* … which it waits for: rpctl_keeper_now */
    struct rpctl_operation *operations; /* every one whose result is not out */
    struct rpctl_operation *operation;  /* the one the rollout works for */
    struct rpctl_operation *stop_operation; /* waits for the last process to end */
    bool first_release_waits;               /* until somebody follows, see RPCTL_PARENT_GRACE_MS */
    json_t *last_result;
    char plain_result[RPCTL_RESULT_LINE_BYTES];    /* instead of it, when there was no memory; "" */
    int64_t last_result_s;                         /* wall clock */
    struct rpctl_probe_round *round;               /* whose answer is wanted, or NULL */
    char probe_text[RPCTL_OPERATION_DETAIL_BYTES]; /* the last answer */
    unsigned rounds;                               /* under way, wanted or not */
    unsigned closes;     /* of listeners, ended or prepared, and steerings around the dead: each has taken the
                            probes out of the programs */
    unsigned sweeps;     /* under way */
    bool swept;          /* while stopping: the last sweep of every generation has begun */
    uint64_t stop_by_ms; /* … uv_now, when what is left is killed */

    struct rpctl_census census;
    struct rpctl_watch watch;

    uv_timer_t deadline_timer, probe_timer, bake_timer, stop_timer, progress_timer, listen_timer,
        upkeep_timer, watch_timer, attend_timer, resteer_timer;
    uv_poll_t notify_poll;
    int notify_fd;
    uv_signal_t term_signal, int_signal, child_signal, usr2_signal;
    struct rpctl_control_server *control;
    struct rpctl_links *links;
    struct rpctl_show *show; /* foreground output, or NULL */
};

/* --- service.c: questions about the whole, and its log ------------------------------------------------ */

/* One line on stderr, key=value; dropped when nobody reads there. */
void rpctl_service_log(const struct rpctl_service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int64_t rpctl_service_wall_ms(void);
bool rpctl_service_has_room(int fd); /* for a line, or for a block of 4096 bytes, without waiting */
unsigned rpctl_service_serving_number(const struct rpctl_service *service); /* 0 = none */
struct rpctl_generation *rpctl_service_find_generation(struct rpctl_service *service, unsigned number);
struct rpctl_instance *rpctl_service_find_instance(struct rpctl_service *service, pid_t pid);
unsigned rpctl_service_running(const struct rpctl_service *service);  /* processes */
unsigned rpctl_service_draining(const struct rpctl_service *service); /* generations that are leaving */
/* Processes of a generation that is leaving, or may have to when a takeover has decided, may run. */
bool rpctl_service_somebody_leaves(const struct rpctl_service *service);
/* A generation with all that it needs, in the list at its place. The release is copied. */
int rpctl_service_add_generation(struct rpctl_service *service, unsigned number,
                                 const struct rpctl_release *release, const struct rpctl_policy *policy,
                                 struct rpctl_generation **ret_generation);
void rpctl_service_forget_generation(struct rpctl_service *service, struct rpctl_generation *generation);

/* --- show.c: the foreground's output ------------------------------------------------------------------ */

int rpctl_service_show_start(struct rpctl_service *service, struct rp_error *error);
void rpctl_service_show(struct rpctl_service *service, const json_t *event);
void rpctl_service_show_watch(struct rpctl_service *service); /* log/ was made again */
void rpctl_service_show_stop(struct rpctl_service *service);
/* The logs that are relayed, and how far; at most `max`. */
size_t rpctl_service_show_logs(const struct rpctl_service *service, struct rpctl_handoff_log *ret_logs,
                               size_t max);
/* Goes on with them; the descriptors are taken over. */
void rpctl_service_show_adopt(struct rpctl_service *service, const struct rpctl_handoff_log *logs,
                              size_t count);

/* --- rollout_*.c: carries out what the rollout decides -------------------------------------------------- */

/* Begins an operation: `release` NULL means the one that serves. Refusals (busy, bad binary, …) become the
 * operation's result at once. The operation must be new and followed by those who want to hear. */
void rpctl_service_begin(struct rpctl_service *service, struct rpctl_operation *operation,
                         const struct rpctl_release *release);

/* A client of our own beside the operation, where its policy wants one. */
void rpctl_service_begin_witness(struct rpctl_service *service, struct rpctl_operation *operation);

/* Feeds the rollout. Events that come while it acts are queued, in order. */
void rpctl_service_post(struct rpctl_service *service, enum rpctl_rollout_event event);
/* … with the reason, for an event that may end the operation. */
void rpctl_service_post_because(struct rpctl_service *service, enum rpctl_rollout_event event,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The last process of the candidate has ended. */
void rpctl_rollout_shell_on_candidate_ended(struct rpctl_service *service);

/* False: see rpctl_rollout_can_abort. */
bool rpctl_rollout_shell_can_abort(struct rpctl_service *service);
/* Something has been written, or cannot be; or a process has ended. */
void rpctl_rollout_shell_look_at_pin(struct rpctl_service *service);

/* --- launch.c: processes -------------------------------------------------------------------------------- */

int rpctl_service_launch(struct rpctl_service *service, struct rpctl_generation *generation,
                         struct rp_error *error);
/* One process; `fds` become its LISTEN_FDS. */
int rpctl_service_spawn(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                        size_t fd_count, struct rp_error *error);
/* To every process that runs; the stop signal only to those that have not had it. What fails is repeated by
 * the caller: a negative errno, when it has failed for one. */
int rpctl_service_signal(struct rpctl_generation *generation, int signal_number);
void rpctl_service_reap(struct rpctl_service *service);
void rpctl_service_on_adopted_ended(struct rpctl_service *service, struct rpctl_instance *instance);
json_t *rpctl_service_last_lines(const struct rpctl_generation *generation); /* NULL when there are none */

/* --- relaunch.c: processes of the generation that serves which end unasked ------------------------------ */

/* A process has ended, `how` in words; nothing when its generation does not serve, or leaves. */
void rpctl_relaunch_on_ended(struct rpctl_service *service, struct rpctl_instance *instance, const char *how);

/* What a former supervisor, or this one before its re-execution, has seen; copied. */
void rpctl_relaunch_restore_crash(struct rpctl_service *service, const struct rpctl_state_crash *crash);
void rpctl_service_cancel_relaunch(struct rpctl_generation *generation);
/* What does not run of the generation that serves, and is not due, is launched again: after a cancel, and now
 * and then, for one for whose timer there was no memory. Not what was given up. */
void rpctl_service_relaunch_missing(struct rpctl_service *service, struct rpctl_generation *generation);
/* Who of the generation that serves is there has changed: steers by it, until that has worked. */
void rpctl_service_attend(struct rpctl_service *service);
/* Another generation serves now: the one that was given up is not shown any more. */
void rpctl_relaunch_forget_failed(struct rpctl_service *service);
/* At this moment (wall clock), or now when that is over. */
void rpctl_service_relaunch_at(struct rpctl_service *service, struct rpctl_instance *instance,
                               int64_t when_ms);

/* --- sweep.c: what outlives its process ----------------------------------------------------------------- */

/* What a sweep needs; made with the generation, let go of before it is freed. -ENOMEM. */
int rpctl_sweep_new(struct rpctl_service *service, struct rpctl_generation *generation);
void rpctl_sweep_let_go(struct rpctl_generation *generation);

/* Ends every process that the generation has left behind, then calls back with how many there were. No
 * process that was launched for it may be running. While the service stops, rpctl_service_on_process_gone is
 * called instead. */
struct rpctl_orphan_owner;
typedef void rpctl_sweep_cb(struct rpctl_service *service, struct rpctl_generation *generation, size_t found);
void rpctl_service_sweep(struct rpctl_service *service, struct rpctl_generation *generation,
                         rpctl_sweep_cb *callback);
/* What tells a process that the generation has left behind from all others, as of now. */
void rpctl_service_orphan_owner(const struct rpctl_service *service,
                                const struct rpctl_generation *generation,
                                struct rpctl_orphan_owner *ret_owner);

/* --- notify.c: what the processes say of themselves ----------------------------------------------------- */

int rpctl_service_notify_start(struct rpctl_service *service, struct rp_error *error);
void rpctl_service_notify_drain(struct rpctl_service *service); /* reads what is there */

/* --- collect.c: the listeners of servers that say nothing ----------------------------------------------- */

/* While a candidate's process has not spoken, looks now and then whether it listens where it should. */
void rpctl_service_collect_start(struct rpctl_service *service);
void rpctl_service_collect_stop(struct rpctl_service *service);
/* Why a process of the candidate that says nothing is not ready yet, in words; "" when there is none. */
const char *rpctl_service_collect_reason(const struct rpctl_generation *generation);

/* --- steering*.c: jobs on the groups -------------------------------------------------------------------- */

/* Each calls back on the loop's thread with 0 or a negative errno and the reason; not at all when the service
 * has begun to stop meanwhile. Without memory for the job it calls back at once. */
typedef void rpctl_steering_cb(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                               const struct rp_error *error);

/* Lends duplicates of the listeners of one instance, for a process that is started in its place; valid during
 * the callback only. */
typedef void rpctl_steering_lend_cb(struct rpctl_service *service, struct rpctl_instance *instance,
                                    const int *fds, size_t fd_count, int status);
void rpctl_steering_lend(struct rpctl_service *service, struct rpctl_instance *instance,
                         rpctl_steering_lend_cb *callback);
/* Takes the descriptors over. The generation's copy of addresses and listener count is refreshed. */
void rpctl_steering_add(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                        size_t fd_count, rpctl_steering_cb *callback);
/* Membership and order are learnt, then all traffic is steered to `generation`. */
void rpctl_steering_pin(struct rpctl_service *service, struct rpctl_generation *generation,
                        rpctl_steering_cb *callback);
/* Membership, order and shape of the candidate beside `old` (may be NULL). */
void rpctl_steering_check(struct rpctl_service *service, struct rpctl_generation *old,
                          struct rpctl_generation *candidate, rpctl_steering_cb *callback);
/* All traffic to `generation`, on all groups or on none. `verify`: membership is compared first. */
void rpctl_steering_shift(struct rpctl_service *service, struct rpctl_generation *generation, bool verify,
                          rpctl_steering_cb *callback);
/* Probes beside whatever is steered; none takes them out again. `probes` stays the caller's until the
 * callback. -ENOMEM: no callback. */
typedef void rpctl_steering_probes_cb(void *data, int status, const struct rp_error *error);
int rpctl_steering_probes(struct rpctl_service *service, const struct rpctl_groups_probe *probes,
                          size_t probe_count, rpctl_steering_probes_cb *callback, void *data);
/* The kernel's own hash, when one generation is all there is. */
void rpctl_steering_detach(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback);
/* By who of `generation` is ready: whoever has all traffic gets it without the listeners that nobody serves;
 * those of instances that were given up are closed. Nothing is steered where that makes no difference; the
 * kernel's own hash comes back when it makes none any more and nothing is under way. */
void rpctl_steering_attend(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback);
/* A copy of the list of a generation's listeners; the descriptors in it are not the caller's. -ENOMEM: no
 * callback. */
typedef void rpctl_steering_list_cb(void *data, const struct rpctl_groups_listener *listeners, size_t count);
int rpctl_steering_list(struct rpctl_service *service, const struct rpctl_generation *generation,
                        rpctl_steering_list_cb *callback, void *data);
/* For the end of the service: all duplicates are closed, and every job after this one finds nothing to do. */
void rpctl_steering_release(struct rpctl_service *service, void (*callback)(struct rpctl_service *service));
/* Compares what is known of the groups with the kernel; `generation` is for the callback only. */
void rpctl_steering_verify(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback);
/* All traffic to `generation`, of groups whose order a former supervisor has recorded. The order is learnt.
 */
void rpctl_steering_take_over(struct rpctl_service *service, struct rpctl_generation *generation,
                              const struct rpctl_state_group *recorded, size_t count,
                              rpctl_steering_cb *callback);
/* Its processes are about to close its listeners, or, `doomed` false, our duplicates of them will have to
 * stay for some time: rpctl_groups_doom. */
void rpctl_steering_doom(struct rpctl_service *service, struct rpctl_generation *generation, bool doomed,
                         rpctl_steering_cb *callback);
/* In a program that goes on in the place of another, before any job: what that one knew of the groups, with
 * its descriptors, which are taken over. All traffic is steered to `steered` already (0 = nothing is). On an
 * error the groups are there, but what is steered is not known. */
int rpctl_steering_restore(struct rpctl_service *service, const struct rpctl_state_group *recorded,
                           size_t count, unsigned steered, struct rp_error *error);
/* Its processes are about to be told to stop, and there is no way back: its listeners are taken out of sight
 * of new connections. Of a candidate also those that it has not sent. */
void rpctl_steering_hide(struct rpctl_service *service, struct rpctl_generation *generation,
                         rpctl_steering_cb *callback);
void rpctl_steering_fetch_and_hide(struct rpctl_service *service, struct rpctl_generation *generation,
                                   rpctl_steering_cb *callback);
/* The ordered close of its listeners; then, when only one generation is left and nothing is under way,
 * detach. */
void rpctl_steering_close(struct rpctl_service *service, struct rpctl_generation *generation,
                          rpctl_steering_cb *callback);

/* --- leaving.c: carries out what a drain decides -------------------------------------------------------- */

/* What a drain needs; made with the generation, let go of before it is freed. -ENOMEM. */
int rpctl_leaving_new(struct rpctl_service *service, struct rpctl_generation *generation);
void rpctl_leaving_let_go(struct rpctl_leaving *leaving);
/* Wall clock: when its drain began, and when its processes will be killed; 0 = it is not draining, or they
 * were not told to stop yet. */
void rpctl_leaving_times(const struct rpctl_leaving *leaving, int64_t *ret_since_ms,
                         int64_t *ret_deadline_ms);

/* Begins the drain of `generation` for `operation`, whose result may wait for it; NULL: for nobody, by the
 * generation's own policy. */
void rpctl_service_leave(struct rpctl_generation *generation, struct rpctl_operation *operation);
/* Calls it off; only before the rollout has heard OLD_QUIET. */
void rpctl_service_stay(struct rpctl_generation *generation);
/* It was told to stop by a former supervisor: the drain goes on up to the deadline (wall clock, 0 = a whole
 * timeout from now). */
void rpctl_leaving_resume(struct rpctl_generation *generation, int64_t deadline_ms);
/* A process of it has said that it stops. */
void rpctl_leaving_on_stopping(struct rpctl_generation *generation);
/* It drains, but its processes have not been told yet: that waits for the disk or for steering, or failed. */
bool rpctl_leaving_is_stop_due(const struct rpctl_leaving *leaving);
/* The operation whose result waits for it, or NULL. */
const struct rpctl_operation *rpctl_leaving_operation(const struct rpctl_leaving *leaving);
/* In a program that goes on in the place of another: the drain goes on where it stood. One in which the
 * processes were not told to stop yet begins anew. */
struct rpctl_leaving_past {
    enum rpctl_drain_state state;
    int64_t since_ms, deadline_ms;     /* wall clock */
    struct rpctl_operation *operation; /* or NULL */
};
void rpctl_leaving_go_on(struct rpctl_generation *generation, const struct rpctl_leaving_past *past);
/* Something has been written, or cannot be. */
void rpctl_leaving_on_written(struct rpctl_generation *generation);
/* The operation's result is out, or on its way. */
void rpctl_leaving_disown(struct rpctl_service *service, const struct rpctl_operation *operation);
/* The last process of the generation has ended. */
void rpctl_leaving_on_exited(struct rpctl_generation *generation);

/* --- probe_round.c: health ------------------------------------------------------------------------------ */

/* One round: a fresh connection to every listener of the candidate, then PROBE_GOOD or PROBE_BAD. */
void rpctl_service_probe(struct rpctl_service *service);
/* The round's answer is not wanted any more. */
void rpctl_service_probe_cancel(struct rpctl_service *service);
const char *rpctl_service_probe_text(const struct rpctl_service *service); /* the last answer */

/* --- requests.c, status.c: clients ---------------------------------------------------------------------- */

int rpctl_service_control_start(struct rpctl_service *service, struct rp_error *error);
/* The state of this moment, with the connections of the last count. NULL when memory is short. */
json_t *rpctl_service_status(struct rpctl_service *service);
void rpctl_service_send_status(struct rpctl_service *service, struct rpctl_control_client *client);

/* --- census.c: counts connections ----------------------------------------------------------------------- */

/* Sends the client a status when a count that begins from now on has ended, and finishes it. */
void rpctl_service_census_ask(struct rpctl_service *service, struct rpctl_control_client *client);
/* Every process that runs now was counted. */
bool rpctl_service_census_is_complete(const struct rpctl_service *service);
/* Counts for nobody in particular, unless a count runs already. */
void rpctl_service_census_refresh(struct rpctl_service *service);
void rpctl_service_census_forget(struct rpctl_service *service, const struct rpctl_control_client *client);
/* The supervisor ends: who still waits, and who watches, gets a status now. */
void rpctl_service_census_end(struct rpctl_service *service);

/* --- watch.c: clients that want a status at every change ------------------------------------------------ */

void rpctl_service_watch_add(struct rpctl_service *service, struct rpctl_control_client *client);
void rpctl_service_watch_forget(struct rpctl_service *service, const struct rpctl_control_client *client);
void rpctl_service_watch_counted(struct rpctl_service *service); /* a count has ended */
/* … and the end of the connections. */
void rpctl_service_watch_end(struct rpctl_service *service);

/* --- supervisor.c, supervisor_stop.c -------------------------------------------------------------------- */

/* Ends the service: no steering any more, every process is told to stop, then the supervisor ends. A second
 * call kills what is left. `operation` (may be NULL) gets the result. */
void rpctl_service_stop(struct rpctl_service *service, struct rpctl_operation *operation);
/* The supervisor could not begin: every handle is closed, and the processes stay as they are. */
void rpctl_service_give_up(struct rpctl_service *service);
/* Launches the first release, or takes over what runs; `follower` (may be NULL) hears of it from the first
 * event on. */
void rpctl_service_begin_first(struct rpctl_service *service, struct rpctl_control_client *follower);
/* An operation was added: its progress is to be told. */
void rpctl_service_watch_operations(struct rpctl_service *service);
/* Called when an operation's result is out, and when a process has ended while stopping. */
void rpctl_service_on_operation_over(struct rpctl_service *service, int exit_code);
void rpctl_service_on_process_gone(struct rpctl_service *service);

#endif
