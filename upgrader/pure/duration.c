#include "pure/duration.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
    const char *name;
    unsigned ms;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define UNIT_COUNT (sizeof units / sizeof units[0])

static const struct unit *find_unit(const char *name)
{
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (strcmp(units[i].name, name) == 0) return &units[i];
    return NULL;
}

int rpctl_duration_parse(unsigned *ret_ms, const char *text)
{
    uint64_t number = 0;
    const char *end = text;
    for (; *end >= '0' && *end <= '9'; end++)
        if (number <= UINT_MAX) number = number * 10 + (uint64_t)(*end - '0');
    if (end == text) return -EINVAL;
    const struct unit *unit = find_unit(end);
    if (!unit && !(number == 0 && *end == '\0')) return -EINVAL;
    if (!unit) unit = &units[UNIT_COUNT - 1];
    if (number > UINT_MAX / unit->ms) return -ERANGE;
    *ret_ms = (unsigned)number * unit->ms;
    return 0;
}

void rpctl_duration_format(unsigned ms, char text[RPCTL_DURATION_BYTES])
{
    for (size_t i = 0; i < UNIT_COUNT && ms > 0; i++) {
        if (ms % units[i].ms != 0) continue;
        snprintf(text, RPCTL_DURATION_BYTES, "%u%s", ms / units[i].ms, units[i].name);
        return;
    }
    snprintf(text, RPCTL_DURATION_BYTES, "0s");
}

static void describe_long(uint64_t seconds, bool with_seconds, char text[RPCTL_DURATION_BYTES])
{
    uint64_t minutes = seconds / 60;
    uint64_t hours = minutes / 60;
    if (hours >= 24)
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " d %" PRIu64 " h", hours / 24, hours % 24);
    else if (hours > 0)
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
    else if (with_seconds)
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " min %" PRIu64 " s", minutes, seconds % 60);
    else
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " min", minutes);
}

void rpctl_duration_describe(uint64_t ms, char text[RPCTL_DURATION_BYTES])
{
    if (ms < 1000)
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " ms", ms);
    else if (ms < 59995) /* below what rounds to 60.00 */
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 ".%02" PRIu64 " s", (ms + 5) / 1000,
                 (ms + 5) % 1000 / 10);
    else
        describe_long((ms + 500) / 1000, true, text);
}

void rpctl_duration_describe_uptime(uint64_t seconds, char text[RPCTL_DURATION_BYTES])
{
    if (seconds < 60)
        snprintf(text, RPCTL_DURATION_BYTES, "%" PRIu64 " s", seconds);
    else
        describe_long(seconds, false, text);
}
