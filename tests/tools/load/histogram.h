/* Log-linear histogram of latencies in microseconds: 64 buckets for each power of two, error below 1.6 %.
 * Pure. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define LOAD_HISTOGRAM_SUB_BITS   6
#define LOAD_HISTOGRAM_VALUE_BITS 34 /* 4.7 hours; longer ones count as that */
#define LOAD_HISTOGRAM_BUCKETS                                                                               \
    ((LOAD_HISTOGRAM_VALUE_BITS - LOAD_HISTOGRAM_SUB_BITS + 1) << LOAD_HISTOGRAM_SUB_BITS)

struct load_histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us; /* exact */
    uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

void load_histogram_record(struct load_histogram *histogram, uint64_t value_us);
void load_histogram_add(struct load_histogram *histogram, const struct load_histogram *other);

/* The smallest bucket limit that at least `per_10000` / 10000 of the values do not exceed (9990 = p99.9);
 * never more than max_us; 0 when empty. */
uint64_t load_histogram_quantile_us(const struct load_histogram *histogram, unsigned per_10000);

#endif
