/* Texts of the system (paths, arguments, environment) in a JSON document: such a text may be any bytes, a
 * JSON string is UTF-8. One that is no UTF-8 stands there as {"hex": "…"}.
 *
 * Pure. */
#ifndef RPCTL_STATE_BYTES_H
#define RPCTL_STATE_BYTES_H

#include <jansson.h>

/* NULL when memory is short. The caller's reference. */
json_t *rpctl_state_bytes_encode(const char *text);
/* An array of them; `texts` is NULL-terminated, NULL is none. */
json_t *rpctl_state_bytes_encode_texts(const char *const *texts);

/* The text, valid as long as `value`; NULL when it is none. A hex form is turned into bytes inside the
 * document, once. */
const char *rpctl_state_bytes_decode(json_t *value);

#endif
