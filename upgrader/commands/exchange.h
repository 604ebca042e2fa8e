/* One operation as its client sees it: send the request, print the events, return the exit code of the
 * result. */
#ifndef RPCTL_EXCHANGE_H
#define RPCTL_EXCHANGE_H

#include "commands/report.h"
#include "pure/request.h"

/* Prints everything, failures too. Ctrl-C ends only the client, which says so. */
int rpctl_exchange(const struct rpctl_command_line *line, const struct rpctl_request *request);

/* … for a request that ends the supervisor: returns when its process has ended too, so that whoever comes
 * next finds the service's lock free. */
int rpctl_exchange_to_the_end(const struct rpctl_command_line *line, const struct rpctl_request *request);

#endif
