/* What `rpctl help` and `rpctl COMMAND --help` print. Pure. */
#ifndef RPCTL_HELP_TEXT_H
#define RPCTL_HELP_TEXT_H

#include "pure/command_line.h"
#include "pure/text.h"

/* RPCTL_COMMAND_COUNT is rpctl as a whole. */
void rpctl_help_text_append(struct rpctl_text *out, enum rpctl_command topic);

#endif
