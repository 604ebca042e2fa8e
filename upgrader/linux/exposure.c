#include "linux/exposure.h"

#include "linux/accept_queue.h"
#include "linux/connection_count.h"
#include "linux/listener_hide.h"
#include "pure/listen_match.h"

#include <stdbool.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_among(const struct rp_address *addresses, size_t count, const struct rp_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (rp_address_equal(&addresses[i], address)) return true;
    return false;
}

/* Several listeners of one address share its connections. */
static void count_open(const struct rp_address *addresses, size_t count, const struct rp_address *old,
                       size_t old_count, pid_t pid, unsigned long *ret_open)
{
    struct rp_address once[RP_ADDRESS_LIST_MAX];
    size_t once_count = 0;

    for (size_t i = 0; i < count && once_count < RP_ADDRESS_LIST_MAX; i++)
        if (rpctl_listen_shadows(old, old_count, &addresses[i]) && !is_among(once, once_count, &addresses[i]))
            once[once_count++] = addresses[i];
    (void)rpctl_connection_count(once, once_count, &pid, 1, ret_open, NULL);
}

void rpctl_exposure_end(const int *fds, const struct rp_address *addresses, size_t count,
                        const struct rp_address *old, size_t old_count, pid_t pid,
                        struct rpctl_exposure *ret_exposure)
{
    struct rpctl_exposure exposure = {0};

    for (size_t i = 0; i < count; i++) {
        struct rpctl_accept_queue queue;

        if (!rpctl_listen_shadows(old, old_count, &addresses[i])) continue;
        rpctl_listener_hide(fds[i]);
        exposure.listeners++;
        exposure.ended_ns = now_ns();
        if (rpctl_accept_queue_read(fds[i], &queue, NULL) == 0) exposure.queued += queue.waiting;
    }
    if (exposure.listeners > 0) count_open(addresses, count, old, old_count, pid, &exposure.open);
    *ret_exposure = exposure;
}
