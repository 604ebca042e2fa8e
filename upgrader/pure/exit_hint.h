/* Why a new release may have ended before it was ready, where more is known than its exit status.
 *
 * Owns nothing. */
#ifndef RPCTL_EXIT_HINT_H
#define RPCTL_EXIT_HINT_H

#include <rp/address.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RPCTL_EXIT_HINT_BYTES 256

struct rpctl_exit_facts {
    bool in_background;               /* what it has forked goes on */
    bool address_in_use;              /* its log says so */
    uid_t user;                       /* it ran as */
    uid_t group_user;                 /* the listeners of the old generation belong to */
    const struct rp_address *address; /* of the old generation; NULL = there is none */
};

/* To be appended to the reason; "" when there is nothing to say. */
void rpctl_exit_hint(const struct rpctl_exit_facts *facts, char text[RPCTL_EXIT_HINT_BYTES]);

/* Does a line of a log tell of EADDRINUSE? In the words of strerror(3) and those of the common runtimes. */
bool rpctl_log_line_says_in_use(const char *line);

#endif
