#include "pure/policy.h"
#include "pure/duration.h"
#include "pure/quote.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HEALTH_HTTP_PREFIX "http:"
#define WITNESS_SUFFIX     "/s"

/* key, kind of value, member, smallest, largest; in the order of the manual */
#define KEYS(X)                                                                                              \
    X("instances", NUMBER, instances, 1, RPCTL_INSTANCES_MAX)                                                \
    X("health", HEALTH, health, 0, 0)                                                                        \
    X("health-count", NUMBER, health_count, 1, RPCTL_HEALTH_COUNT_MAX)                                       \
    X("health-interval", DURATION, health_interval_ms, 1, RPCTL_HEALTH_INTERVAL_MS_MAX)                      \
    X("ready-timeout", DURATION, ready_timeout_ms, 1, RPCTL_TIMEOUT_MS_MAX)                                  \
    X("bake", DURATION, bake_ms, 0, RPCTL_TIMEOUT_MS_MAX)                                                    \
    X("quiesce-timeout", DURATION, quiesce_timeout_ms, 0, RPCTL_TIMEOUT_MS_MAX)                              \
    X("drain-timeout", DURATION, drain_timeout_ms, 0, RPCTL_TIMEOUT_MS_MAX)                                  \
    X("idle-grace", DURATION, idle_grace_ms, 0, RPCTL_TIMEOUT_MS_MAX)                                        \
    X("max-draining", NUMBER, max_draining, 1, RPCTL_DRAINING_MAX)                                           \
    X("max-restarts", NUMBER, max_restarts, 0, RPCTL_RESTARTS_MAX)                                           \
    X("wait", WAIT, wait, 0, 0)                                                                              \
    X("stop-signal", SIGNAL, stop_signal, 0, 0)                                                              \
    X("witness", WITNESS, witness_per_s, 1, RPCTL_WITNESS_PER_S_MAX)                                         \
    X("allow-drop", FLAG, allow_drop, 0, 0)

enum kind { NUMBER, DURATION, HEALTH, WAIT, SIGNAL, WITNESS, FLAG };

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    unsigned min, max;
};

static const struct key keys[] = {
#define ROW(name, kind, member, min, max) {name, kind, offsetof(struct rpctl_policy, member), min, max},
    KEYS(ROW)
#undef ROW
};

const char *const rpctl_policy_keys[] = {
#define NAME(name, kind, member, min, max) name,
    KEYS(NAME)
#undef NAME
        NULL};

static const struct {
    const char *name;
    int number;
} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT},
               {"HUP", SIGHUP},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

#define SIGNAL_COUNT (sizeof signals / sizeof signals[0])

const struct rpctl_policy rpctl_policy_default = {
    .instances = 1,
    .health = {.kind = RPCTL_HEALTH_AUTO},
    .health_count = 3,
    .health_interval_ms = 100,
    .ready_timeout_ms = 30000,
    .bake_ms = 1000,
    .quiesce_timeout_ms = 3000,
    .drain_timeout_ms = 30000,
    .idle_grace_ms = 2000,
    .max_draining = 3,
    .max_restarts = 10,
    .wait = RPCTL_WAIT_DRAINED,
    .stop_signal = SIGTERM,
    .witness_per_s = 20,
    .allow_drop = false,
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

static int reject(const struct key *key, const char *value, const char *allowed, struct rp_error *error)
{
    return rp_error_set(error, -EINVAL, "%s %s: take %s", key->name, rpctl_quote(value).text, allowed);
}

/* Digits only, up to `end`; false when there are none or the number is out of range. */
static bool parse_number(unsigned *ret_number, const char *text, const char *end)
{
    unsigned number = 0;
    if (text == end) return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || number > 100000000) return false;
        number = number * 10 + (unsigned)(*text - '0');
    }
    *ret_number = number;
    return true;
}

static int set_number(unsigned *member, const struct key *key, const char *value, struct rp_error *error)
{
    unsigned number;
    if (parse_number(&number, value, value + strlen(value)) && number >= key->min && number <= key->max) {
        *member = number;
        return 0;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "a whole number from %u to %u", key->min, key->max);
    return reject(key, value, allowed, error);
}

static int set_duration(unsigned *member, const struct key *key, const char *value, struct rp_error *error)
{
    unsigned ms;
    if (rpctl_duration_parse(&ms, value) == 0 && ms >= key->min && ms <= key->max) {
        *member = ms;
        return 0;
    }
    char min[RPCTL_DURATION_BYTES], max[RPCTL_DURATION_BYTES], allowed[128];
    rpctl_duration_format(key->min, min);
    rpctl_duration_format(key->max, max);
    snprintf(allowed, sizeof allowed, "a whole number with the unit ms, s, m or h, from %s to %s", min, max);
    return reject(key, value, allowed, error);
}

/* What may stand in a request line: printable ASCII without blanks. */
static bool is_health_path(const char *path)
{
    if (path[0] != '/' || strlen(path) >= RPCTL_HEALTH_PATH_MAX) return false;
    for (; *path; path++)
        if (*path <= ' ' || *path > '~') return false;
    return true;
}

static int set_health(struct rpctl_health *health, const struct key *key, const char *value,
                      struct rp_error *error)
{
    const size_t prefix = strlen(HEALTH_HTTP_PREFIX);
    struct rpctl_health parsed = {.kind = RPCTL_HEALTH_AUTO};
    if (strcmp(value, "tcp") == 0) {
        parsed.kind = RPCTL_HEALTH_TCP;
    } else if (strcmp(value, "none") == 0) {
        parsed.kind = RPCTL_HEALTH_NONE;
    } else if (strncmp(value, HEALTH_HTTP_PREFIX, prefix) == 0 && is_health_path(value + prefix)) {
        parsed.kind = RPCTL_HEALTH_HTTP;
        strcpy(parsed.path, value + prefix);
    } else if (strcmp(value, "auto") != 0) {
        return reject(key, value, "auto, http:/PATH (at most 255 characters, no blanks), tcp or none", error);
    }
    *health = parsed;
    return 0;
}

static int set_wait(enum rpctl_wait *wait, const struct key *key, const char *value, struct rp_error *error)
{
    if (strcmp(value, "drained") == 0)
        *wait = RPCTL_WAIT_DRAINED;
    else if (strcmp(value, "shifted") == 0)
        *wait = RPCTL_WAIT_SHIFTED;
    else
        return reject(key, value, "drained or shifted", error);
    return 0;
}

static int set_signal(int *number, const struct key *key, const char *value, struct rp_error *error)
{
    const char *name = strncmp(value, "SIG", 3) == 0 ? value + 3 : value;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (strcmp(signals[i].name, name) != 0) continue;
        *number = signals[i].number;
        return 0;
    }
    return reject(key, value, "TERM, INT, QUIT, HUP, USR1 or USR2", error);
}

static int set_witness(unsigned *per_s, const struct key *key, const char *value, struct rp_error *error)
{
    unsigned number = 0;
    const char *suffix = strstr(value, WITNESS_SUFFIX);
    bool is_rate = suffix && strcmp(suffix, WITNESS_SUFFIX) == 0 && parse_number(&number, value, suffix) &&
                   number >= key->min && number <= key->max;
    if (!is_rate && strcmp(value, "off") != 0) {
        char allowed[64];
        snprintf(allowed, sizeof allowed, "off, or a rate from %u/s to %u/s", key->min, key->max);
        return reject(key, value, allowed, error);
    }
    *per_s = number;
    return 0;
}

static int set_flag(bool *flag, const struct key *key, const char *value, struct rp_error *error)
{
    if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || value[0] == '\0')
        *flag = true;
    else if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
        *flag = false;
    else
        return reject(key, value, "yes or no", error);
    return 0;
}

int rpctl_policy_set(struct rpctl_policy *policy, const char *name, const char *value, struct rp_error *error)
{
    const struct key *key = find_key(name);
    if (!key)
        return rp_error_set(error, -ENOENT, "unknown policy key %s; rpctl help upgrade lists them",
                            rpctl_quote(name).text);
    void *member = (char *)policy + key->offset;
    switch (key->kind) {
    case NUMBER: return set_number(member, key, value, error);
    case DURATION: return set_duration(member, key, value, error);
    case HEALTH: return set_health(member, key, value, error);
    case WAIT: return set_wait(member, key, value, error);
    case SIGNAL: return set_signal(member, key, value, error);
    case WITNESS: return set_witness(member, key, value, error);
    case FLAG: break;
    }
    return set_flag(member, key, value, error);
}

bool rpctl_policy_key_is_flag(const char *name)
{
    const struct key *key = find_key(name);
    return key && key->kind == FLAG;
}

static int format_health(const struct rpctl_health *health, char *text, size_t bytes)
{
    switch (health->kind) {
    case RPCTL_HEALTH_AUTO: return snprintf(text, bytes, "auto");
    case RPCTL_HEALTH_TCP: return snprintf(text, bytes, "tcp");
    case RPCTL_HEALTH_NONE: return snprintf(text, bytes, "none");
    case RPCTL_HEALTH_HTTP: break;
    }
    return snprintf(text, bytes, HEALTH_HTTP_PREFIX "%s", health->path);
}

static int format_duration(unsigned ms, char *text, size_t bytes)
{
    char duration[RPCTL_DURATION_BYTES];
    rpctl_duration_format(ms, duration);
    return snprintf(text, bytes, "%s", duration);
}

static int format_signal(int number, char *text, size_t bytes)
{
    size_t i = 0;
    while (i < SIGNAL_COUNT - 1 && signals[i].number != number) i++;
    return snprintf(text, bytes, "%s", signals[i].name);
}

static int format_witness(unsigned per_s, char *text, size_t bytes)
{
    return per_s == 0 ? snprintf(text, bytes, "off") : snprintf(text, bytes, "%u" WITNESS_SUFFIX, per_s);
}

static int format_member(const void *member, enum kind kind, char *text, size_t bytes)
{
    switch (kind) {
    case NUMBER: return snprintf(text, bytes, "%u", *(const unsigned *)member);
    case DURATION: return format_duration(*(const unsigned *)member, text, bytes);
    case HEALTH: return format_health(member, text, bytes);
    case WAIT:
        return snprintf(text, bytes, "%s",
                        *(const enum rpctl_wait *)member == RPCTL_WAIT_DRAINED ? "drained" : "shifted");
    case SIGNAL: return format_signal(*(const int *)member, text, bytes);
    case WITNESS: return format_witness(*(const unsigned *)member, text, bytes);
    case FLAG: break;
    }
    return snprintf(text, bytes, "%s", *(const bool *)member ? "yes" : "no");
}

int rpctl_policy_format(const struct rpctl_policy *policy, const char *name, char *text, size_t bytes)
{
    const struct key *key = find_key(name);
    if (!key) return -ENOENT;
    int length = format_member((const char *)policy + key->offset, key->kind, text, bytes);
    return length < 0 || (size_t)length >= bytes ? -ENAMETOOLONG : 0;
}
