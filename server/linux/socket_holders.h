/* Which processes have a socket open, without any privilege.
 *
 * Owns nothing. Reads /proc: slow on a busy machine. */
#ifndef RP_LINUX_SOCKET_HOLDERS_H
#define RP_LINUX_SOCKET_HOLDERS_H

#include <stdbool.h>

/* Calls `visit` for the processes that have the socket with this inode open, until it returns true. Those of
 * other users, and those that must not be looked at (prctl(2), PR_SET_DUMPABLE), are not seen. */
void rp_socket_holders_find(unsigned long inode, bool (*visit)(int pid, void *data), void *data);

#endif
