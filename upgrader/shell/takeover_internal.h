/* What the parts of a takeover share (shell/takeover.h says what it does).
 *
 *   takeover_find.c       the state on disk, and the processes
 *   takeover_listeners.c  until every listener of every group is known
 *   takeover_decide.c     who serves from now on
 *   takeover_steer.c      all traffic to it, its health, and the others leave
 *   takeover.c            the beginning and the end */
#ifndef RPCTL_TAKEOVER_INTERNAL_H
#define RPCTL_TAKEOVER_INTERNAL_H

#include "pure/recovery.h"
#include "pure/state.h"
#include "shell/service.h"
#include "shell/takeover.h"
#include "shell/trial.h"

struct rpctl_takeover {
    struct rpctl_service *service;
    struct rpctl_operation *operation; /* NULL before run() */
    struct rpctl_state state;          /* without a document: there was none */
    unsigned processes;
    uv_timer_t timer;
    uint64_t begun_ms;
    unsigned pending; /* jobs */
    bool collected_once;
    bool steering; /* the phase has begun */
    bool steered;
    enum rpctl_recovery_outcome outcome;
    unsigned way_back; /* generation that can still serve, where new is to serve; 0 = none */
    struct rpctl_trial *trial;
    bool has_failed_trial;                /* all goes back */
    struct rpctl_generation *tried;       /* … whose it is */
    char warning[RP_ERROR_MESSAGE_BYTES]; /* about the state */
};

/* Learns the listeners, then decides. Again: because somebody has begun to listen meanwhile. */
void rpctl_takeover_begin_listeners(struct rpctl_takeover *takeover);
void rpctl_takeover_look_again(struct rpctl_takeover *takeover);

/* The listeners have taken too long. */
bool rpctl_takeover_is_late(const struct rpctl_takeover *takeover);

/* Who serves from now on; steers to it, or launches the release anew. */
void rpctl_takeover_decide(struct rpctl_takeover *takeover);
/* It has begun to stop, or was told to. */
bool rpctl_takeover_is_going(const struct rpctl_generation *generation);
/* … or has no listeners (any more). */
bool rpctl_takeover_told_to_stop(const struct rpctl_generation *generation);

/* Steers to the generation of that number, and goes on with it. */
void rpctl_takeover_steer_to(struct rpctl_takeover *takeover, unsigned generation);
bool rpctl_takeover_can_go_back(const struct rpctl_takeover *takeover);
void rpctl_takeover_leave_others(struct rpctl_service *service);

/* Ends it, and frees it on a later turn. The operation stays the service's. */
void rpctl_takeover_end(struct rpctl_takeover *takeover);
void rpctl_takeover_give_up(struct rpctl_takeover *takeover, const char *why);

#endif
