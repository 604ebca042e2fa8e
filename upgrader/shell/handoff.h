/* The service as a handoff (pure/handoff.h): what stands in the supervisor's structs, put into words, and the
 * descriptors that go with it. */
#ifndef RPCTL_SHELL_HANDOFF_H
#define RPCTL_SHELL_HANDOFF_H

#include <rp/error.h>
#include <stddef.h>

struct rpctl_service;

struct rpctl_handoff_parcel {
    char *text;
    size_t length;
    int *fds; /* those named in the text, with room for one more: still the service's */
    size_t fd_count;
};

/* To go by it no job may be under way. What was made can be read: that was tried. -ENOMEM, -E2BIG. */
int rpctl_handoff_pack(struct rpctl_service *service, struct rpctl_handoff_parcel *ret_parcel,
                       struct rp_error *error);
void rpctl_handoff_parcel_done(struct rpctl_handoff_parcel *parcel);

#endif
