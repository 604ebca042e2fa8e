/* What a descriptor's terminal can do. */
#ifndef RPCTL_TERMINAL_H
#define RPCTL_TERMINAL_H

#include <stdbool.h>

/* True for a terminal that understands cursor movement (TERM is set, and not to "dumb"). */
bool rpctl_terminal_is_live(int fd);

/* A live terminal, and NO_COLOR is not set. */
bool rpctl_terminal_has_colour(int fd);

/* Columns, and rows, now; 0 = not known. */
unsigned rpctl_terminal_width(int fd);
unsigned rpctl_terminal_rows(int fd);

#endif
