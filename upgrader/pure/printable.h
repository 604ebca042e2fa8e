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

#define RPCTL_PRINTABLE_ESCAPE_BYTES 4 /* at most, for one byte */

/* Copies `length` bytes for a terminal: line ends, tabs and valid UTF-8 stay, every other control character
 * and every byte that is not UTF-8 becomes \xHH. `text` has room for so many times the length, and gets no
 * terminator. A character that the end has cut in two is left for the next time, unless nothing stands before
 * it: *ret_taken says how many bytes were taken. Returns the length of the text. */
size_t rpctl_printable_escape(char *text, const char *bytes, size_t length, size_t *ret_taken);

/* As rpctl_printable_copy, in pure ASCII, '.' for all that is not a printable ASCII character. */
size_t rpctl_printable_copy_ascii(char *text, size_t text_bytes, const char *bytes, size_t length);

#endif
