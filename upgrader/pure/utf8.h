/* UTF-8, as far as a tool needs it that prints what others wrote: decode, replace, measure. Pure. */
#ifndef RPCTL_UTF8_H
#define RPCTL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPCTL_UTF8_INVALID UINT32_MAX

/* Decodes the first character of a non-empty, NUL-terminated text. Returns its length in bytes; a byte that
 * begins no valid character has length 1 and is RPCTL_UTF8_INVALID. */
size_t rpctl_utf8_decode(const char *text, uint32_t *ret_character);

/* These bytes, at least one, begin a character and end before it does. */
bool rpctl_utf8_is_cut(const char *bytes, size_t length);

bool rpctl_utf8_is_valid(const char *text);

/* True for what must not reach a terminal from a stranger: C0 and C1 controls, DEL, invalid bytes. */
bool rpctl_utf8_is_unsafe(uint32_t character);

/* Columns on a terminal, never less than what it takes: 2 for wide scripts and symbols, else 1. */
unsigned rpctl_utf8_columns(uint32_t character);

#endif
