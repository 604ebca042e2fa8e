#include "pure/listen_match.h"

static bool is_among(const struct rp_address *addresses, size_t count, const struct rp_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (rp_address_equal(&addresses[i], address)) return true;
    return false;
}

static const struct rp_address *shadowed_by(const struct rp_address *old, size_t old_count,
                                            const struct rp_address *address)
{
    /* On an address of the group itself the steering holds. */
    if (is_among(old, old_count, address)) return NULL;
    for (size_t i = 0; i < old_count; i++)
        if (rp_address_shadows(address, &old[i])) return &old[i];
    return NULL;
}

bool rpctl_listen_shadows(const struct rp_address *old, size_t old_count, const struct rp_address *address)
{
    return shadowed_by(old, old_count, address) != NULL;
}

void rpctl_listen_match(const struct rp_address *old, size_t old_count, const struct rp_address *new,
                        size_t new_count, struct rpctl_listen_match *ret_match)
{
    *ret_match = (struct rpctl_listen_match){0};
    for (size_t i = 0; !ret_match->missing && i < old_count; i++)
        if (!is_among(new, new_count, &old[i])) ret_match->missing = &old[i];
    for (size_t i = 0; !ret_match->shadowed && i < new_count; i++) {
        ret_match->shadowed = shadowed_by(old, old_count, &new[i]);
        ret_match->by = ret_match->shadowed ? &new[i] : NULL;
    }
}
