/* Does somebody else listen already where a release of a service is about to?
 *
 * SO_REUSEPORT lets it in without a word, and a part of the other one's connections would come to it at once.
 * What a service has itself is no obstacle: the other processes of the generation, and what the supervisor
 * holds. Owns nothing. Looks at /proc, but only where there is such a listener. */
#ifndef RP_LINUX_OCCUPIED_H
#define RP_LINUX_OCCUPIED_H

#include <rp/lifecycle.h>
#include <rp/listener.h>

/* Between bind and listen, under rpctl. The addresses of the old generation are not looked at: the supervisor
 * knows who is there. -EADDRINUSE names the address and the process. Whose a listener is that cannot be told
 * (another PID namespace, an undumpable process) is no error. */
int rp_occupied_check(const struct rp_listeners *listeners, const struct rp_identity *identity,
                      struct rp_error *error);

#endif
