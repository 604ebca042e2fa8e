/* Whether jansson has met a lack of memory. By itself it does not tell: it calls a text wrong that it had no
 * memory to read, leaves a member out of an object, or cuts off what it writes.
 *
 * Process-wide, for the one thread that uses jansson. */
#ifndef RPCTL_JSON_MEMORY_H
#define RPCTL_JSON_MEMORY_H

#include <stdbool.h>

/* From here on a lack is noted. What jansson has made before may be freed after it. */
void rpctl_json_memory_watch(void);

/* True when there was one since. */
bool rpctl_json_memory_was_short(void);

#endif
