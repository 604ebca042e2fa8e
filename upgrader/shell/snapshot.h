/* The service as a state (pure/state.h): what stands in the supervisor's structs, put into words. */
#ifndef RPCTL_SNAPSHOT_H
#define RPCTL_SNAPSHOT_H

#include <rp/error.h>
#include <stddef.h>

struct rpctl_service;

/* For the disk: no descriptors. The caller frees *ret_text. -ENOMEM, -E2BIG. */
int rpctl_snapshot_encode(struct rpctl_service *service, char **ret_text, size_t *ret_length,
                          struct rp_error *error);

#endif
