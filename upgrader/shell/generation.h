/* A release, its launches (generations) and their processes (instances), as the supervisor knows them.
 *
 * Owns the memory, the log descriptor and the pidfds; does nothing by itself. */
#ifndef RPCTL_GENERATION_H
#define RPCTL_GENERATION_H

#include "linux/listener_collect.h"
#include "linux/process.h"
#include "linux/spawn.h"
#include "pure/backoff.h"
#include "pure/drain.h"
#include "pure/generation_state.h"
#include "pure/policy.h"

#include <rp/address.h>
#include <sys/types.h>
#include <uv.h>

/* What is launched: a value, copied by whoever keeps it. */
struct rpctl_release {
    char *binary; /* absolute path */
    char **args;  /* NULL-terminated, without argv[0] */
    char **env;   /* NULL-terminated "K=V", over the supervisor's own environment */
};

int rpctl_release_copy(struct rpctl_release *ret_copy, const char *binary, char *const *args,
                       char *const *env);
void rpctl_release_free(struct rpctl_release *release);
const char *rpctl_release_name(const struct rpctl_release *release); /* base name of the binary */

struct rpctl_instance {
    struct rpctl_generation *generation;
    unsigned number; /* 1 … */
    enum rpctl_instance_state state;
    struct rpctl_process process; /* pidfd -1 when it does not run */
    uint64_t ended;               /* … and when the last one did, in clock ticks since boot */
    int exit_status;              /* as of waitpid(2) */
    bool exit_unknown;            /* … there is none: it was no child of ours */
    bool notifies;                /* has sent something on NOTIFY_SOCKET, so it is held to READY=1 */
    bool handed_over;             /* … and has sent its listeners */
    bool said_ready;              /* … READY=1, but no listeners: they are looked up, then it is ready */
    bool collected; /* its listeners were looked up, so it could not take over those of another */
    bool found;     /* its listeners were looked up by a successor: it may send them yet */
    struct rpctl_collected *seen; /* of one that is not ready: its listeners at all looks, or NULL */
    unsigned seen_listeners;      /* of one that does not notify: at the last look */
    unsigned settled_looks;       /* … at which their number had not changed */
    uint64_t clear_ns;            /* uv_hrtime up to which it took no connection from the old generation */
    char unfit[RP_ERROR_MESSAGE_BYTES]; /* … why it was not ready; "" */
    bool said_stopping;                 /* … STOPPING=1 */
    bool told;                          /* the stop signal was sent, or it says that it stops: a second one
                                           would end it at once */
    bool killed;                        /* SIGKILL was sent by the supervisor */
    struct rpctl_backoff backoff;
    unsigned restarts;
    int64_t since_ms;    /* wall clock, of this process */
    int64_t next_try_ms; /* wall clock, of the launch that `relaunch` waits for */
    pid_t counted_pid;   /* the process that `connections` is of; 0 = not counted */
    unsigned long connections;
    uint64_t launched_ms; /* uv_now */
    uv_timer_t *relaunch; /* NULL when none is due */
    bool replacing;       /* … or it looks whether a new generation has taken the place of its own */
    uv_poll_t *watch;     /* of one that is not our child: its end; else NULL */
    char status[256];     /* STATUS= */
};

struct rpctl_generation {
    struct rpctl_generation *next;
    unsigned number;
    enum rpctl_generation_state state;
    struct rpctl_release release;
    struct rpctl_policy policy;
    struct rpctl_health health; /* declared in X_RP_HEALTH, or AUTO */
    int64_t since_ms;           /* wall clock */
    bool taken_over;            /* launched by a former supervisor */
    uint64_t first_start_time;  /* of its first process, in clock ticks since boot; 0 = none yet */
    int log_fd;

    struct rpctl_instance *instances;
    unsigned instance_count;

    /* What the last look at the groups showed: the loop's copy, the groups belong to the jobs. */
    struct rp_address addresses[RP_ADDRESS_LIST_MAX];
    size_t address_count;
    unsigned listener_count;
    bool hidden;                        /* one of them is out of sight: it cannot serve any more */
    uid_t user;                         /* whose listeners they are */
    char unfit[RP_ERROR_MESSAGE_BYTES]; /* why another of its listeners bars an upgrade; "" = none does */
    struct rp_address unfit_address;    /* … which one */

    struct rpctl_drain drain;
    struct rpctl_sweep *sweep;     /* for what it leaves behind */
    bool sweeping;                 /* … which is being ended */
    struct rpctl_leaving *leaving; /* the shell of the drain machine */
    unsigned quiesce_left;         /* queued or half-open at the bound of the quiesce */
    unsigned long finished, cut;   /* connections at the drain, as reported or counted */
    bool had_to_be_killed;
    char crash[RPCTL_PROCESS_STATUS_BYTES]; /* how a process ended that was leaving, by no signal of ours; ""
                                             */
};

/* A generation with `policy->instances` instances that do not run yet. Takes nothing over; log_fd is -1. */
int rpctl_generation_new(struct rpctl_generation **ret_generation, unsigned number,
                         const struct rpctl_release *release, const struct rpctl_policy *policy);

/* Every process must have been reaped, no timer may be running. Closes the log. */
void rpctl_generation_free(struct rpctl_generation *generation);

bool rpctl_generation_is_leaving(const struct rpctl_generation *generation); /* its drain has begun */
bool rpctl_generation_was_told_to_stop(const struct rpctl_generation *generation);
unsigned rpctl_generation_running(const struct rpctl_generation *generation); /* processes that run */
struct rpctl_instance *rpctl_generation_find(struct rpctl_generation *generation, pid_t pid);
/* The last count was of its process, or there is none. */
bool rpctl_instance_is_counted(const struct rpctl_instance *instance);

/* What a probe of this generation has to do: the policy's, or what the release declared, or TCP. */
struct rpctl_health rpctl_generation_health(const struct rpctl_generation *generation);

#endif
