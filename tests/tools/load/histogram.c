#include "histogram.h"

#include <stddef.h>

#define SUB_BUCKETS ((uint64_t)1 << LOAD_HISTOGRAM_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
    uint64_t max = ((uint64_t)1 << LOAD_HISTOGRAM_VALUE_BITS) - 1;
    if (value > max) value = max;
    if (value < SUB_BUCKETS) return (size_t)value;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = top_bit - LOAD_HISTOGRAM_SUB_BITS;
    return (size_t)((shift + 1) * SUB_BUCKETS + ((value >> shift) - SUB_BUCKETS));
}

static uint64_t bucket_last_value(size_t bucket)
{
    if (bucket < SUB_BUCKETS) return bucket;
    unsigned shift = (unsigned)(bucket / SUB_BUCKETS) - 1;
    uint64_t first = (SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

void load_histogram_record(struct load_histogram *histogram, uint64_t value_us)
{
    histogram->count++;
    histogram->sum_us += value_us;
    if (value_us > histogram->max_us) histogram->max_us = value_us;
    histogram->buckets[bucket_of(value_us)]++;
}

void load_histogram_add(struct load_histogram *histogram, const struct load_histogram *other)
{
    histogram->count += other->count;
    histogram->sum_us += other->sum_us;
    if (other->max_us > histogram->max_us) histogram->max_us = other->max_us;
    for (size_t i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) histogram->buckets[i] += other->buckets[i];
}

uint64_t load_histogram_quantile_us(const struct load_histogram *histogram, unsigned per_10000)
{
    uint64_t wanted = (histogram->count * per_10000 + 9999) / 10000;
    uint64_t seen = 0;
    for (size_t i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen == 0 || seen < wanted) continue;
        uint64_t value = bucket_last_value(i);
        return value < histogram->max_us ? value : histogram->max_us;
    }
    return 0;
}
