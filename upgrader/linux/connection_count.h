/* How many established connections a set of processes holds. */
#ifndef RPCTL_CONNECTION_COUNT_H
#define RPCTL_CONNECTION_COUNT_H

#include <rp/address.h>
#include <rp/error.h>
#include <stddef.h>
#include <sys/types.h>

/* Connections to any of the addresses whose socket one of the processes (or one of their descendants) has
 * open; those in an accept queue belong to nobody yet and are left out. Processes that are gone count as
 * holding none. The caller keeps both arrays. */
int rpctl_connection_count(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                           size_t pid_count, unsigned long *ret_count, struct rp_error *error);

/* As above, for each process by itself: ret_counts[i] is that of pids[i], written only on success. What two
 * of them hold in common counts for one. */
int rpctl_connection_count_each(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                                size_t pid_count, unsigned long *ret_counts, struct rp_error *error);

#endif
