#include "tally.h"

const char *load_client_kind_name(enum load_client_kind kind)
{
    return kind == LOAD_FRESH ? "fresh" : "keep-alive";
}

const char *load_failure_name(enum load_failure failure)
{
    static const char *const names[] = {
#define X(name, text) [LOAD_FAILURE_##name] = (text),
        LOAD_FAILURES(X)
#undef X
    };
    return names[failure];
}

uint64_t load_tally_answers(const struct load_tally *tally)
{
    return tally->answers[LOAD_FRESH] + tally->answers[LOAD_KEEP_ALIVE];
}

uint64_t load_tally_failures_of(const struct load_tally *tally, enum load_failure failure)
{
    return tally->failures[LOAD_FRESH][failure] + tally->failures[LOAD_KEEP_ALIVE][failure];
}

uint64_t load_tally_failures(const struct load_tally *tally)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++)
        sum += load_tally_failures_of(tally, (enum load_failure)i);
    return sum;
}

void load_tally_merge(struct load_tally *tally, const struct load_tally *other)
{
    for (unsigned kind = 0; kind < LOAD_CLIENT_KINDS; kind++) {
        tally->answers[kind] += other->answers[kind];
        for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++)
            tally->failures[kind][i] += other->failures[kind][i];
    }
    tally->connections += other->connections;
    tally->idle_closes += other->idle_closes;
    tally->announced_closes += other->announced_closes;
    load_counter_merge(&tally->versions, &other->versions);
    load_counter_merge(&tally->generations, &other->generations);
    load_counter_merge(&tally->pids, &other->pids);
    load_histogram_add(&tally->latency_us, &other->latency_us);
}
