/* "Did you mean …?" for a mistyped word. Pure. */
#ifndef RPCTL_SUGGEST_H
#define RPCTL_SUGGEST_H

#include <stddef.h>

/* The candidate that is at most two typing slips away and nearer than every other, or NULL. */
const char *rpctl_suggest(const char *word, const char *const *candidates, size_t count);

#endif
