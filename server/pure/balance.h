/* When a worker hands over what it has accepted.
 *
 * The kernel spreads connections over listeners by a hash, which is even only for many of them: of 64
 * connections on two workers one has more than 35 in two of five cases. Handing over costs two threads a
 * wake-up, so small differences are left as they are. */
#ifndef RP_PURE_BALANCE_H
#define RP_PURE_BALANCE_H

#include <stdbool.h>

#define RP_BALANCE_SLACK 2u
#define RP_BALANCE_PART  16u /* and this part of what the other one has */

/* `own`: connections of the worker, the new one among them; `other`: of the one that it compares itself
 * with. */
static inline bool rp_balance_hands_over(unsigned own, unsigned other)
{
    return own > other + other / RP_BALANCE_PART + RP_BALANCE_SLACK;
}

#endif
