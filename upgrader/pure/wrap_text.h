/* Breaks lines that are wider than a terminal between words. Pure. */
#ifndef RPCTL_WRAP_TEXT_H
#define RPCTL_WRAP_TEXT_H

#include "pure/text.h"

/* Appends `text`, clean lines of UTF-8 that may have colours (ESC [ … m) in them, so that none needs more
 * than `columns`. What goes on in the next line is indented, deeper than its line began. A word that is too
 * long for a line is broken. */
void rpctl_wrap_text_append(struct rpctl_text *out, const char *text, size_t columns);

#endif
