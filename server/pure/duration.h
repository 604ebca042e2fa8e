/* Durations as people write them: "500ms", "2s", "1.5s", "1m", "1h". */
#ifndef RP_PURE_DURATION_H
#define RP_PURE_DURATION_H

#include <rp/error.h>
#include <stdint.h>

/* Milliseconds, 0…max_ms; what is finer is cut off. A number without a unit is refused, except 0. -EINVAL
 * with a message that quotes the text; -ERANGE when it is more than max_ms. */
int rp_duration_parse(uint32_t *ret_ms, const char *text, uint32_t max_ms, struct rp_error *error);

#endif
