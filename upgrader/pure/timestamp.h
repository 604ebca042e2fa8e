/* Points in time as the protocol writes them: RFC 3339, UTC, whole seconds ("2030-01-31T12:00:00Z"). Pure. */
#ifndef RPCTL_TIMESTAMP_H
#define RPCTL_TIMESTAMP_H

#include <stdint.h>

#define RPCTL_TIMESTAMP_BYTES 48

/* Seconds since 1970. A fraction of a second is accepted and cut off. -EINVAL for any other form. */
int rpctl_timestamp_parse(int64_t *ret_seconds, const char *text);

/* Years 1970 to 9999; a value outside is taken to the nearest end. */
void rpctl_timestamp_format(int64_t seconds, char text[RPCTL_TIMESTAMP_BYTES]);

#endif
