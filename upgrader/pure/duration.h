/* Lengths of time as text: "500ms" in options, "1.29 s" and "2 h 5 min" for people. Pure. */
#ifndef RPCTL_DURATION_H
#define RPCTL_DURATION_H

#include <stdint.h>

#define RPCTL_DURATION_BYTES 32

/* Parses a whole number with a unit, ms, s, m or h: "100ms", "30s", "5m", "1h"; "0" needs no unit.
 * -EINVAL for any other text, -ERANGE for more than 2^32-1 ms; *ret_ms is written only on success. */
int rpctl_duration_parse(unsigned *ret_ms, const char *text);

/* The shortest text that parses to the same value: 90000 is "90s", 60000 is "1m", 0 is "0s". */
void rpctl_duration_format(unsigned ms, char text[RPCTL_DURATION_BYTES]);

/* How long something took: "42 ms", "1.29 s", "2 min 5 s", "3 h 10 min". */
void rpctl_duration_describe(uint64_t ms, char text[RPCTL_DURATION_BYTES]);

/* How long something has been going on: "5 s", "2 min", "3 h 10 min", "4 d 2 h". */
void rpctl_duration_describe_uptime(uint64_t seconds, char text[RPCTL_DURATION_BYTES]);

#endif
