/* What one sd_notify datagram says: KEY=VALUE lines, decoded and bounded.
 *
 * Pure; descriptors and the sender's credentials are linux/notify_receive.h's. */
#ifndef RPCTL_NOTIFICATION_H
#define RPCTL_NOTIFICATION_H

#include "pure/policy.h"
#include <stdbool.h>
#include <stddef.h>

#define RPCTL_NOTIFICATION_STATUS_BYTES 256
#define RPCTL_NOTIFICATION_HEALTH_BYTES (RPCTL_HEALTH_PATH_MAX + 8)

struct rpctl_notification {
    bool ready;    /* READY=1 */
    bool stopping; /* STOPPING=1 */
    bool fdstore;  /* FDSTORE=1: the descriptors beside this datagram are listeners, in order */
    bool barrier;  /* BARRIER=1: the descriptor beside it is closed when all before it was handled */
    char status[RPCTL_NOTIFICATION_STATUS_BYTES]; /* STATUS=, printable UTF-8, cut; "" = none */
    char health[RPCTL_NOTIFICATION_HEALTH_BYTES]; /* X_RP_HEALTH=, visible ASCII, as policy's "health"; "" =
                                                     none */
    bool has_drained;                             /* X_RP_FINISHED or X_RP_CUT was there */
    unsigned long finished;
    unsigned long cut;
};

/* Never fails: unknown keys and malformed lines (no '=', no value where a number must be, a NUL inside, a
 * health text too long) are ignored, the rest counts. The later of two lines with one key wins. NULs at the
 * end of the datagram are tolerated, for senders that count their terminator. `bytes` needs no terminator. */
void rpctl_notification_parse(struct rpctl_notification *ret_notification, const char *bytes, size_t length);

#endif
