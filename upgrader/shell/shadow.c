#include "shell/shadow.h"

#include "shell/service.h"

void rpctl_shadow_fail(struct rpctl_service *service, const struct rpctl_instance *instance,
                       const struct rpctl_listen_match *match, const struct rpctl_exposure *exposure)
{
    char text[RP_ADDRESS_TEXT_BYTES], by[RP_ADDRESS_TEXT_BYTES];

    rp_address_format(match->shadowed, text);
    rp_address_format(match->by, by);
    rpctl_service_post_because(
        service, RPCTL_ROLLOUT_ON_CHECK_FAILED,
        "pid %d listens on %s and took connections to %s from the generation that serves, for %.0f ms at "
        "most: %lu open in it, %u in its queue at the end; it must listen on %s itself",
        (int)instance->process.pid, by, text, (double)(exposure->ended_ns - instance->clear_ns) / 1e6,
        exposure->open, exposure->queued, text);
}

bool rpctl_shadow_meet(struct rpctl_service *service, const struct rpctl_instance *instance, const int *fds,
                       size_t count)
{
    const struct rpctl_generation *old = service->serving;
    struct rp_address addresses[RP_LISTENERS_MAX];
    struct rpctl_listen_match match;
    struct rpctl_exposure exposure;

    if (!old || instance->generation != service->candidate || count > RP_LISTENERS_MAX) return false;
    for (size_t i = 0; i < count; i++)
        if (rp_address_of_socket(&addresses[i], fds[i], NULL) < 0)
            return false; /* refused when it is added */
    rpctl_listen_match(old->addresses, old->address_count, addresses, count, &match);
    if (!match.shadowed) return false;
    rpctl_exposure_end(fds, addresses, count, old->addresses, old->address_count, instance->process.pid,
                       &exposure);
    rpctl_shadow_fail(service, instance, &match, &exposure);
    return true;
}
