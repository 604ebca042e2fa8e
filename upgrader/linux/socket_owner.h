/* Which process holds a socket: a walk over /proc, to name a stranger in a message.
 *
 * Owns nothing. Sees only processes whose descriptors the caller may read (its own user's, or all for root),
 * so finding nobody proves nothing. Thread-safe. */
#ifndef RPCTL_SOCKET_OWNER_H
#define RPCTL_SOCKET_OWNER_H

#include <stdint.h>
#include <sys/types.h>

#define RPCTL_PROGRAM_NAME_BYTES 64

struct rpctl_socket_owner {
    pid_t pid;
    char program[RPCTL_PROGRAM_NAME_BYTES]; /* name of the executable, or "?" */
};

/* The first process found, other than the caller. -ENOENT when there is none to be seen. */
int rpctl_socket_owner_find(uint64_t inode, struct rpctl_socket_owner *ret_owner);

#endif
