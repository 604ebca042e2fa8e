/* A growing piece of text, appended to and printed at the end.
 *
 * Owns its bytes. When memory runs out the text stays as it is and `failed` is set, so that a caller asks
 * once, at the end. Zero-initialised is empty and valid. Pure. */
#ifndef RPCTL_TEXT_H
#define RPCTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct rpctl_text {
    char *bytes; /* NUL-terminated; NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

void rpctl_text_done(struct rpctl_text *text);

/* Keeps the memory; clears `failed`. */
void rpctl_text_clear(struct rpctl_text *text);

/* "" while empty; valid until the next append. */
const char *rpctl_text_string(const struct rpctl_text *text);

void rpctl_text_append(struct rpctl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rpctl_text_append_bytes(struct rpctl_text *text, const char *bytes, size_t length);

/* Appends what a stranger wrote: a tab becomes a blank, every other control character and every invalid byte
 * a '?'. Ends with "..." when it needs more than `max_columns`. Returns the columns used. */
size_t rpctl_text_append_clean(struct rpctl_text *text, const char *untrusted, size_t max_columns);
#define RPCTL_TEXT_NO_LIMIT ((size_t)-1)

/* Columns that a cleaned text takes on a terminal. */
size_t rpctl_text_columns(const char *untrusted);

void rpctl_text_append_blanks(struct rpctl_text *text, size_t count);

#endif
