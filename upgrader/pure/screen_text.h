/* A view that stays in its place on a terminal: each new one is written over the last. Pure. */
#ifndef RPCTL_SCREEN_TEXT_H
#define RPCTL_SCREEN_TEXT_H

#include "pure/text.h"

/* Appends what shows `view`, lines that are not wider than the terminal, from the top of the screen. Nothing
 * is blank in between, so it does not flicker. `rows` are those of the terminal: lines that would scroll it
 * are left out; 0 = not known. The cursor is left at the beginning of the line below. */
void rpctl_screen_text_append(struct rpctl_text *out, const char *view, unsigned rows);

#endif
