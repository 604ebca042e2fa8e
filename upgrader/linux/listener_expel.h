/* Takes a listener out of the kernel's tables at once, whoever else has it open. */
#ifndef RPCTL_LISTENER_EXPEL_H
#define RPCTL_LISTENER_EXPEL_H

/* shutdown(2): new connections go elsewhere from now on. What stood in its accept queue is reset; the number
 * is returned, 0 when it had left already. Any duplicate of the descriptor will do. */
unsigned rpctl_listener_expel(int fd);

#endif
