#include "pure/duration.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DIGITS_MAX 12 /* keeps value * unit inside 64 bits */

static uint64_t unit_us(const char *text)
{
    static const struct {
        const char *text;
        uint64_t us;
    } units[] = {{"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].text) == 0) return units[i].us;
    }
    return 0;
}

/* Reads digits at *text, which moves behind them; returns their number, 0 when there are none or too many. */
static size_t read_digits(const char **text, uint64_t *value)
{
    size_t count = strspn(*text, "0123456789");
    if (count > DIGITS_MAX) return 0;
    for (size_t i = 0; i < count; i++) *value = *value * 10 + (uint64_t)((*text)[i] - '0');
    *text += count;
    return count;
}

int rp_duration_parse(uint32_t *ret_ms, const char *text, uint32_t max_ms, struct rp_error *error)
{
    const char *at = text;
    uint64_t value = 0;
    uint64_t scale = 1;
    size_t whole = read_digits(&at, &value);
    if (whole > 0 && *at == '.') {
        at++;
        size_t fraction = read_digits(&at, &value);
        if (fraction == 0 || whole + fraction > DIGITS_MAX) whole = 0;
        for (size_t i = 0; i < fraction; i++) scale *= 10;
    }
    uint64_t us = value == 0 && *at == '\0' ? 1000 : unit_us(at);
    if (whole == 0 || us == 0)
        return rp_error_set(error, -EINVAL, "\"%s\" is not a duration; write 500ms, 2s, 1.5s, 1m or 1h",
                            text);
    uint64_t ms = value * (us / 1000) / scale;
    if (ms > max_ms)
        return rp_error_set(error, -ERANGE, "\"%s\" is too long; at most %us", text,
                            (unsigned)(max_ms / 1000));
    *ret_ms = (uint32_t)ms;
    return 0;
}
