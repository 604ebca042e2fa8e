#include "pure/listener_check.h"

#include <errno.h>

static bool contains(const struct rp_address *addresses, size_t count, const struct rp_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (rp_address_equal(&addresses[i], address)) return true;
    }
    return false;
}

static bool is_bound(const struct rp_listeners *listeners, const struct rp_address *address)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (rp_address_equal(&listeners->items[i].address, address)) return true;
    }
    return false;
}

int rp_listeners_check_request(const struct rp_address *addresses, size_t count, unsigned per_address,
                               struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    if (count == 0) return rp_error_set(error, -EINVAL, "no address to listen on; give at least one");
    if (per_address > RP_LISTENERS_MAX || count > RP_LISTENERS_MAX / per_address)
        return rp_error_set(
            error, -E2BIG,
            "%zu addresses with %u listeners each are too many, %d in all is the limit; use fewer "
            "workers or addresses",
            count, per_address, RP_LISTENERS_MAX);
    for (size_t i = 1; i < count; i++) {
        if (!contains(addresses, i, &addresses[i])) continue;
        rp_address_format(&addresses[i], text);
        return rp_error_set(error, -EINVAL, "the address %s is given twice; leave one out", text);
    }
    return 0;
}

int rp_listeners_check_inherited(const struct rp_listeners *inherited, const struct rp_address *addresses,
                                 size_t count, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    for (size_t i = 0; i < inherited->count; i++) {
        const struct rp_listener *listener = &inherited->items[i];
        if (contains(addresses, count, &listener->address)) continue;
        rp_address_format(&listener->address, text);
        return rp_error_set(error, -EADDRNOTAVAIL,
                            "descriptor %d from LISTEN_FDS listens on %s, where this program is not told to "
                            "listen; make the two lists of addresses the same",
                            listener->fd, text);
    }
    return 0;
}

/* A listener in a group of the old generation takes nothing, for that group is pinned. Any other that is
 * found first would take connections out of the pin. */
static const struct rp_address *find_shadow(const struct rp_listeners *listeners,
                                            const struct rp_address *expected, size_t count,
                                            const struct rp_address *victim)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct rp_address *address = &listeners->items[i].address;
        if (rp_address_shadows(address, victim) && !contains(expected, count, address)) return address;
    }
    return NULL;
}

int rp_listeners_check(const struct rp_listeners *listeners, const struct rp_address *expected, size_t count,
                       bool allow_drop, struct rp_error *error)
{
    char wanted[RP_ADDRESS_TEXT_BYTES], found[RP_ADDRESS_TEXT_BYTES];
    for (size_t i = 0; i < count; i++) {
        rp_address_format(&expected[i], wanted);
        const struct rp_address *shadow = find_shadow(listeners, expected, count, &expected[i]);
        if (shadow != NULL) {
            rp_address_format(shadow, found);
            return rp_error_set(
                error, -EADDRNOTAVAIL,
                "a listener on %s would at once take connections from the running release on %s; "
                "listen on exactly the latter",
                found, wanted);
        }
        if (!allow_drop && !is_bound(listeners, &expected[i]))
            return rp_error_set(
                error, -EADDRNOTAVAIL,
                "the running release listens on %s and this one does not; listen there too, or "
                "upgrade with --allow-drop",
                wanted);
    }
    return 0;
}
