/* What a generation and its instances are doing: the words of status, log and state file.
 *
 * Owns nothing. */
#ifndef RPCTL_GENERATION_STATE_H
#define RPCTL_GENERATION_STATE_H

#define RPCTL_GENERATION_STATES(X)                                                                           \
    X(STARTING, "starting") /* launched, not ready */                                                        \
    X(PROVING, "proving")   /* ready, gets probes only */                                                    \
    X(SERVING, "serving")                                                                                    \
    X(STANDBY, "standby")   /* listens, gets nothing, can take all back */                                   \
    X(DRAINING, "draining") /* leaving */                                                                    \
    X(STOPPING, "stopping") /* failed before the shift, being ended */                                       \
    X(FAILED, "failed")     /* served, and every process of it was given up */

enum rpctl_generation_state {
#define X(name, text) RPCTL_GENERATION_##name,
    RPCTL_GENERATION_STATES(X)
#undef X
        RPCTL_GENERATION_STATE_COUNT
};

#define RPCTL_INSTANCE_STATES(X)                                                                             \
    X(STARTING, "starting")                                                                                  \
    X(READY, "ready")                                                                                        \
    X(STOPPING, "stopping") /* said so, or was told to */                                                    \
    X(EXITED, "exited")                                                                                      \
    X(FAILED, "failed") /* exited, and is not launched again */

enum rpctl_instance_state {
#define X(name, text) RPCTL_INSTANCE_##name,
    RPCTL_INSTANCE_STATES(X)
#undef X
        RPCTL_INSTANCE_STATE_COUNT
};

const char *rpctl_generation_state_name(enum rpctl_generation_state state);
const char *rpctl_instance_state_name(enum rpctl_instance_state state);

/* -EINVAL for a word that is none; NULL is none. */
int rpctl_generation_state_parse(enum rpctl_generation_state *ret_state, const char *name);
int rpctl_instance_state_parse(enum rpctl_instance_state *ret_state, const char *name);

#endif
