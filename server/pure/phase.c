#include "pure/phase.h"

static const struct {
    const char *text;
    enum rp_expiry expiry;
    bool busy;
} phases[RP_PHASE_COUNT] = {
#define X(name, phase_text, phase_expiry, phase_busy)                                                        \
    [RP_PHASE_##name] = {.text = (phase_text), .expiry = RP_EXPIRY_##phase_expiry, .busy = (phase_busy)},
    RP_PHASES(X)
#undef X
};

enum rp_phase rp_phase_of(const struct rp_phase_facts *facts)
{
    if (facts->queued) return RP_PHASE_WRITE;
    if (facts->lingering) return RP_PHASE_LINGER;
    if (facts->request) return facts->body ? RP_PHASE_BODY : RP_PHASE_HANDLER;
    return facts->head ? RP_PHASE_HEAD : RP_PHASE_IDLE;
}

const char *rp_phase_text(enum rp_phase phase)
{
    return phases[phase].text;
}

enum rp_expiry rp_phase_expiry(enum rp_phase phase)
{
    return phases[phase].expiry;
}

bool rp_phase_busy(enum rp_phase phase)
{
    return phases[phase].busy;
}
