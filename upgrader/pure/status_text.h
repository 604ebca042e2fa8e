/* Turns a `status` event (rpctl-protocol(7)) into the table that `rpctl status` prints. Pure. */
#ifndef RPCTL_STATUS_TEXT_H
#define RPCTL_STATUS_TEXT_H

#include "pure/text.h"
#include <jansson.h>
#include <stdint.h>

/* `now` in seconds since 1970: what has been going on how long is computed here. `width` is that of the
 * terminal; 0 = do not cut the lines. */
void rpctl_status_text_append(struct rpctl_text *out, const json_t *status, int64_t now, unsigned width);

#endif
