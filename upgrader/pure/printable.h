/* Text from strangers (logs, notifications, answers) as one line that a terminal and a JSON encoder can take.
 *
 * Pure. */
#ifndef RPCTL_PRINTABLE_H
#define RPCTL_PRINTABLE_H

#include <stddef.h>

/* Copies `length` bytes into `text` as valid UTF-8 without control characters: a tab becomes a blank, every
 * other control character and every byte that is not UTF-8 becomes '?'. Cut, never inside a character, to
 * `text_bytes` (at least 1) with its terminator. Returns the length of the text. */
size_t rpctl_printable_copy(char *text, size_t text_bytes, const char *bytes, size_t length);

/* The same in pure ASCII, '.' for all that is not a printable ASCII character. */
size_t rpctl_printable_copy_ascii(char *text, size_t text_bytes, const char *bytes, size_t length);

#endif
