#include "shell/admission.h"

#include <errno.h>

int rp_admission_init(struct rp_admission *admission, uint32_t connections_max, uint32_t per_address_max)
{
    uint64_t seed;
    *admission = (struct rp_admission){.connections_max = connections_max};
    if (per_address_max == 0) return 0;
    int result = uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL);
    if (result == 0) result = uv_mutex_init(&admission->lock);
    if (result < 0) return result;
    result = rp_peer_counts_init(&admission->peers, seed);
    if (result < 0)
        uv_mutex_destroy(&admission->lock);
    else
        admission->per_address_max = per_address_max;
    return result;
}

void rp_admission_done(struct rp_admission *admission)
{
    if (admission->per_address_max == 0) return;
    rp_peer_counts_done(&admission->peers);
    uv_mutex_destroy(&admission->lock);
    admission->per_address_max = 0;
}

static int count_peer(struct rp_admission *admission, const struct sockaddr *peer)
{
    if (admission->per_address_max == 0) return 0;
    uv_mutex_lock(&admission->lock);
    int result = rp_peer_counts_add(&admission->peers, peer, admission->per_address_max);
    uv_mutex_unlock(&admission->lock);
    return result;
}

int rp_admission_enter(struct rp_admission *admission, const struct sockaddr *peer)
{
    int result = 0;
    if (atomic_fetch_add(&admission->connections, 1) >= admission->connections_max) result = -ENFILE;
    if (result == 0) result = count_peer(admission, peer);
    if (result < 0) atomic_fetch_sub(&admission->connections, 1);
    return result;
}

void rp_admission_leave(struct rp_admission *admission, const struct sockaddr *peer)
{
    atomic_fetch_sub(&admission->connections, 1);
    if (admission->per_address_max == 0) return;
    uv_mutex_lock(&admission->lock);
    rp_peer_counts_remove(&admission->peers, peer);
    uv_mutex_unlock(&admission->lock);
}
