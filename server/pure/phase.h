/* What a connection waits for: the list it is on, its deadline, and what happens at the deadline.
 *
 *            first byte of a head          head complete           body complete
 *   IDLE ------------------------> HEAD ----------------> BODY ---------------------> HANDLER
 *    ^                              |                      |                            |
 *    |  response out, keep-alive    '------ no body -------+--------> HANDLER           | more queued than
 * the
 *    +------------------------------------------------------------------'  ^            | socket takes
 *    |                                                                     |            v
 *    '-------------------------------------------------------------------- '-------- WRITE
 *   any -- our FIN is out, the client's is not --> LINGER
 *
 * A phase is a function of facts and not of history: whatever happened, the connection is put where its facts
 * say. */
#ifndef RP_PURE_PHASE_H
#define RP_PURE_PHASE_H

#include <stdbool.h>

/* name, text, what its deadline does, a request would be lost if it were cut */
#define RP_PHASES(X)                                                                                         \
    X(IDLE, "idle", CLOSE, false)                                                                            \
    X(HEAD, "head", TIMEOUT, true)                                                                           \
    X(BODY, "body", TIMEOUT, true)                                                                           \
    X(HANDLER, "handler", NOTHING, true)                                                                     \
    X(WRITE, "write", STALLED, true)                                                                         \
    X(LINGER, "linger", CLOSE, false)

enum rp_phase {
#define X(name, text, expiry, busy) RP_PHASE_##name,
    RP_PHASES(X)
#undef X
        RP_PHASE_COUNT
};

enum rp_expiry {
    RP_EXPIRY_CLOSE,   /* close; for an idle one only if no request has just come in */
    RP_EXPIRY_TIMEOUT, /* answer 408 if nothing is answered yet, and close */
    RP_EXPIRY_STALLED, /* close if the client has taken nothing since */
    RP_EXPIRY_NOTHING,
};

struct rp_phase_facts {
    bool queued;    /* bytes wait for the socket */
    bool lingering; /* the connection is being closed politely */
    bool request;   /* a head is complete and its response is not */
    bool body;      /* of that request: more is awaited from the client */
    bool head;      /* part of the next head is there */
};

enum rp_phase rp_phase_of(const struct rp_phase_facts *facts);
const char *rp_phase_text(enum rp_phase phase);
enum rp_expiry rp_phase_expiry(enum rp_phase phase);
bool rp_phase_busy(enum rp_phase phase);

#endif
