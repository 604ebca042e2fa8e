/* How a service is run and upgraded: the policy options of run, start and upgrade, as one value.
 *
 * The same keys are command-line options (--bake 1s), lines of an INI file (bake = 1s) and members of a
 * control request ("bake": "1s"). Pure. */
#ifndef RPCTL_POLICY_H
#define RPCTL_POLICY_H

#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPCTL_INSTANCES_MAX          64
#define RPCTL_HEALTH_PATH_MAX        256 /* bytes, with the terminator */
#define RPCTL_HEALTH_COUNT_MAX       1000
#define RPCTL_HEALTH_INTERVAL_MS_MAX 3600000
#define RPCTL_TIMEOUT_MS_MAX         86400000 /* of every other length of time: a day */
#define RPCTL_DRAINING_MAX           64
#define RPCTL_RESTARTS_MAX           1000000
#define RPCTL_WITNESS_PER_S_MAX      1000
#define RPCTL_POLICY_TEXT_BYTES      (RPCTL_HEALTH_PATH_MAX + 8) /* room for the text of any value */

enum rpctl_health_kind {
    RPCTL_HEALTH_AUTO, /* what the release declared in X_RP_HEALTH, else TCP */
    RPCTL_HEALTH_HTTP,
    RPCTL_HEALTH_TCP,
    RPCTL_HEALTH_NONE,
};

struct rpctl_health {
    enum rpctl_health_kind kind;
    char path[RPCTL_HEALTH_PATH_MAX]; /* of RPCTL_HEALTH_HTTP, begins with '/' */
};

enum rpctl_wait {
    RPCTL_WAIT_DRAINED, /* the command returns when the old generation is gone */
    RPCTL_WAIT_SHIFTED, /* … when the bake is over and the old accept queues are empty */
};

struct rpctl_policy {
    unsigned instances;          /* processes per generation */
    struct rpctl_health health;  /* "auto", "http:/PATH", "tcp", "none" */
    unsigned health_count;       /* good rounds in a row that prove a release */
    unsigned health_interval_ms; /* between rounds in the bake, and after a failed one */
    unsigned ready_timeout_ms;   /* from launch to proven */
    unsigned bake_ms;
    unsigned quiesce_timeout_ms;
    unsigned drain_timeout_ms;
    unsigned idle_grace_ms;
    unsigned max_draining; /* old generations that may drain at the same time */
    unsigned max_restarts; /* of a process in a row, each of which dies young; 0 = without end */
    enum rpctl_wait wait;
    int stop_signal;
    unsigned witness_per_s; /* 0 = off; text "20/s" or "off" */
    bool allow_drop;
};

extern const struct rpctl_policy rpctl_policy_default;

/* Sets one key from its text. -ENOENT: no such key; -EINVAL: bad value, the message quotes key and value and
 * says what is allowed. *policy is changed only on success. Lengths of time are "100ms", "30s", "5m", "1h" or
 * "0"; signals "TERM" or "SIGTERM"; a flag takes "yes"/"true"/"" or "no"/"false". */
int rpctl_policy_set(struct rpctl_policy *policy, const char *key, const char *value, struct rp_error *error);

/* True for a key that takes no value on the command line (--allow-drop). */
bool rpctl_policy_key_is_flag(const char *key);

/* All keys, in the order of the manual; NULL-terminated. */
extern const char *const rpctl_policy_keys[];

/* Writes the text of one key's value, so that set(format(x)) == x. Returns 0, -ENOENT or -ENAMETOOLONG. */
int rpctl_policy_format(const struct rpctl_policy *policy, const char *key, char *text, size_t bytes);

#endif
