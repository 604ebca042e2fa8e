/* Replaces this supervisor by the program that is now at its path, in the same process.
 *
 * Theory. In order:
 *
 *   ask      the file at the path is run as a child, with the handoff of this moment, and says whether it can
 *            go on with that. Whatever it does else (it ends otherwise, says something else, takes too long,
 *            cannot be run) is a refusal, and nothing has changed
 *   rest     until no thread is in a job, and no count and no write is under way. Drains go on; requests are
 *            not read any more, and will be by the new program
 *   resume   signals are blocked; one turn of the loop later those that were caught before have acted, too.
 *            Then the handoff is made anew, and execve() replaces the program. Where that fails everything is
 *            as before
 *
 * The new program goes on in shell/resume.h. What the kernel keeps meanwhile: connections in the accept queue
 * of the control socket, notifications in their socket, the blocked signals, dead children. The instances'
 * links end; librp makes new ones and sends its listeners again, which are known by then. */
#ifndef RPCTL_SHELL_REEXEC_H
#define RPCTL_SHELL_REEXEC_H

#include "linux/process.h"

struct rpctl_control_client;
struct rpctl_service;

#define RPCTL_REEXEC_ANSWER_MS 5000 /* for the new program to say that it can */
#define RPCTL_REEXEC_REST_MS   5000

/* Begins, as an operation "reexec" whose first follower is `client` (may be NULL). Refused while an operation
 * is under way, but for the drain of an old generation. */
void rpctl_reexec_begin(struct rpctl_service *service, struct rpctl_control_client *client);

/* A child has ended that is no instance: it may be the program that was asked. */
void rpctl_reexec_on_child_ended(struct rpctl_service *service, const struct rpctl_process_end *end);

/* The service is being stopped, which ends the operation too. */
void rpctl_reexec_cancel(struct rpctl_service *service);

#endif
