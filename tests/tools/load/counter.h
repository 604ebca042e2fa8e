/* How often each of a few labels (a version, a generation, a pid) was seen. Pure, of fixed size. */
#ifndef LOAD_COUNTER_H
#define LOAD_COUNTER_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_COUNTER_LABELS      1024
#define LOAD_COUNTER_LABEL_BYTES 24
#define LOAD_COUNTER_REST        "(others)" /* the last slot takes what finds no slot of its own */

struct load_counter_item {
    char label[LOAD_COUNTER_LABEL_BYTES];
    uint64_t count;
};

struct load_counter {
    size_t used;
    struct load_counter_item items[LOAD_COUNTER_LABELS];
};

/* Labels are cut to LOAD_COUNTER_LABEL_BYTES - 1. */
void load_counter_add(struct load_counter *counter, const char *label, uint64_t count);
uint64_t load_counter_get(const struct load_counter *counter, const char *label); /* 0 when never seen */
void load_counter_merge(struct load_counter *counter, const struct load_counter *other);

#endif
