#include "pure/environment.h"
#include "pure/address_text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Decimal digits alone. INT_MAX is the limit because times go into signed arithmetic later. */
static int read_number(unsigned *ret_number, const char *name, const char *text, struct rp_error *error)
{
    unsigned number = 0;
    bool good = text[0] != '\0';
    for (const char *at = text; good && *at != '\0'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        good = *at >= '0' && *at <= '9' && number <= (INT_MAX - digit) / 10;
        number = number * 10 + digit;
    }
    if (!good)
        return rp_error_set(error, -EINVAL, "bad %s=\"%.60s\": it must be a number from 0 to %d", name, text,
                            INT_MAX);
    *ret_number = number;
    return 0;
}

static int read_optional(unsigned *number, const char *name, const char *text, struct rp_error *error)
{
    return text == NULL ? 0 : read_number(number, name, text, error);
}

/* In the identity 0 says "not given", so a time of 0 becomes the shortest there is. */
static int read_time(unsigned *time_ms, const char *name, const char *text, struct rp_error *error)
{
    int result = read_optional(time_ms, name, text, error);
    if (result == 0 && text != NULL && *time_ms == 0) *time_ms = 1;
    return result;
}

static int read_service(struct rp_environment *environment, const char *text, struct rp_error *error)
{
    if (text == NULL) return 0;
    size_t length = strlen(text);
    bool good = length > 0 && length < sizeof environment->service;
    for (const char *at = text; good && *at != '\0'; at++) good = (unsigned char)*at > ' ' && *at != 0x7f;
    if (!good)
        return rp_error_set(
            error, -EINVAL,
            "bad RP_SERVICE=\"%.60s\": it must be a name of 1 to %d characters without blanks", text,
            RP_SERVICE_NAME_BYTES - 1);
    memcpy(environment->service, text, length + 1);
    environment->identity.supervised = true;
    return 0;
}

static int read_listen(struct rp_environment *environment, const char *text, struct rp_error *error)
{
    size_t count = 0;
    if (text == NULL) return 0;
    int result = rp_address_text_parse_list(environment->expected, RP_ADDRESS_LIST_MAX, &count, text,
                                            rp_address_text_parse_numeric, error);
    if (result < 0) {
        rp_error_prefix(error, "bad RP_LISTEN");
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        if (rp_address_port(&environment->expected[i]) == 0)
            return rp_error_set(error, -EINVAL, "bad RP_LISTEN=\"%.60s\": nothing listens on port 0", text);
    }
    environment->identity.expected_count = count;
    return 0;
}

static int read_allow_drop(bool *allow_drop, const char *text, struct rp_error *error)
{
    if (text == NULL || strcmp(text, "0") == 0) return 0;
    if (strcmp(text, "1") != 0)
        return rp_error_set(error, -EINVAL, "bad RP_ALLOW_DROP=\"%.60s\": it must be 0 or 1", text);
    *allow_drop = true;
    return 0;
}

int rp_environment_parse(struct rp_environment *environment, const struct rp_environment_texts *texts,
                         struct rp_error *error)
{
    struct rp_identity *identity = &environment->identity;
    memset(environment, 0, sizeof *environment);
    identity->service = environment->service;
    identity->expected = environment->expected;
    int result = read_service(environment, texts->service, error);
    if (result == 0) result = read_optional(&identity->generation, "RP_GENERATION", texts->generation, error);
    if (result == 0) result = read_optional(&identity->instance, "RP_INSTANCE", texts->instance, error);
    if (result == 0)
        result =
            read_time(&identity->drain_timeout_ms, "RP_DRAIN_TIMEOUT_MS", texts->drain_timeout_ms, error);
    if (result == 0)
        result = read_time(&identity->idle_grace_ms, "RP_IDLE_GRACE_MS", texts->idle_grace_ms, error);
    if (result == 0) result = read_listen(environment, texts->listen, error);
    if (result == 0) result = read_allow_drop(&identity->allow_drop, texts->allow_drop, error);
    return result;
}

int rp_environment_listen_fds(unsigned *ret_count, const char *pid, const char *fds, unsigned self,
                              struct rp_error *error)
{
    unsigned meant = 0, count = 0;
    *ret_count = 0;
    if (pid == NULL || fds == NULL) return 0;
    int result = read_number(&meant, "LISTEN_PID", pid, error);
    /* A parent's LISTEN_FDS is not ours to judge. */
    if (result < 0 || meant != self) return result;
    result = read_number(&count, "LISTEN_FDS", fds, error);
    if (result < 0) return result;
    if (count > RP_LISTENERS_MAX)
        return rp_error_set(error, -E2BIG, "LISTEN_FDS=%u: at most %d listeners can be taken over", count,
                            RP_LISTENERS_MAX);
    *ret_count = count;
    return 0;
}
