/* What a set of requests came to: answers, failures by kind, who answered, how long it took. Pure.
 *
 * A failure is final: no request is ever sent again for it. An idle close is none: the server closed a
 * keep-alive connection on which no byte of the next request had been sent. */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include "counter.h"
#include "histogram.h"

#include <stdint.h>

enum load_client_kind { LOAD_FRESH, LOAD_KEEP_ALIVE, LOAD_CLIENT_KINDS };

#define LOAD_FAILURES(X)                                                                                     \
    X(REFUSED, "refused")                 /* ECONNREFUSED */                                                 \
    X(RESET_CONNECT, "reset_connect")     /* reset or closed before a byte of the request was sent */        \
    X(RESET_SENT, "reset_sent")           /* reset after a byte of the request was sent */                   \
    X(EOF_SENT, "eof_sent")               /* closed before the whole answer had come */                      \
    X(TIMEOUT_CONNECT, "timeout_connect") /* no connection by the deadline */                                \
    X(TIMEOUT_ANSWER, "timeout_answer")   /* no whole answer (and no close, where announced) by then */      \
    X(BAD_STATUS, "bad_status")           /* a whole answer, but not 200 */                                  \
    X(BAD_BODY, "bad_body")               /* not HTTP, wrong framing, extra bytes, or not the greeting */    \
    X(OTHER, "other")                     /* an error of this machine: no ports, no descriptors, … */

enum load_failure {
#define X(name, text) LOAD_FAILURE_##name,
    LOAD_FAILURES(X)
#undef X
        LOAD_FAILURE_KINDS
};

struct load_tally {
    uint64_t answers[LOAD_CLIENT_KINDS];
    uint64_t failures[LOAD_CLIENT_KINDS][LOAD_FAILURE_KINDS];
    uint64_t connections;      /* opened */
    uint64_t idle_closes;      /* see above */
    uint64_t announced_closes; /* keep-alive answers that said Connection: close */
    struct load_counter versions;
    struct load_counter generations;
    struct load_counter pids;
    struct load_histogram latency_us; /* of answers, from the wish to send until the last byte of the body */
};

const char *load_client_kind_name(enum load_client_kind kind);
const char *load_failure_name(enum load_failure failure);

uint64_t load_tally_answers(const struct load_tally *tally);
uint64_t load_tally_failures(const struct load_tally *tally);
uint64_t load_tally_failures_of(const struct load_tally *tally, enum load_failure failure);
void load_tally_merge(struct load_tally *tally, const struct load_tally *other);

#endif
