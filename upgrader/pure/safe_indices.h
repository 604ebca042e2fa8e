/* Which listeners of a group stay where they are when others leave it all at once and in any order.
 *
 * Owns nothing: a pure function of (roles by index).
 *
 * Theory. A doomed listener is in the group for the sake of our duplicate alone: its process has closed its
 * own, or is about to. When this supervisor dies the kernel closes the duplicates, in no order of ours, and
 * nobody is there to steer around it. Each one that leaves draws the last listener of the group into its
 * slot. So while a doomed one is left, only indices from the number of the living on are moved: with L living
 * ones, an index below L stays what it is. Index L itself can be moved only by the last doomed one; then it
 * lies behind the end, and the kernel's hash chooses among all who are left, which is right where all of
 * those serve. */
#ifndef RPCTL_SAFE_INDICES_H
#define RPCTL_SAFE_INDICES_H

#include <stdbool.h>
#include <stddef.h>

enum rpctl_fate {
    RPCTL_FATE_SERVES, /* steered to */
    RPCTL_FATE_STAYS,  /* its process holds it; not steered to */
    RPCTL_FATE_DOOMED, /* our duplicate alone holds it */
};

/* Tells for each index whether it serves and is safe. Returns how many are; with none doomed, all that serve
 * are. None may be: more doomed ones stand in front of those that serve than there are living ones. */
size_t rpctl_safe_indices(const enum rpctl_fate *fates, size_t count, bool *ret_safe);

#endif
