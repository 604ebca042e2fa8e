#include "load/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct load_histogram *new_histogram(void)
{
    struct load_histogram *histogram = calloc(1, sizeof(*histogram));
    cr_assert_not_null(histogram);
    return histogram;
}

Test(histogram, empty)
{
    struct load_histogram *histogram = new_histogram();
    cr_assert_eq(load_histogram_quantile_us(histogram, 0), 0);
    cr_assert_eq(load_histogram_quantile_us(histogram, 10000), 0);
    free(histogram);
}

Test(histogram, small_values_are_exact)
{
    struct load_histogram *histogram = new_histogram();
    for (uint64_t value = 0; value < 100; value++) load_histogram_record(histogram, value);
    cr_assert_eq(histogram->count, 100);
    cr_assert_eq(histogram->sum_us, 4950);
    cr_assert_eq(load_histogram_quantile_us(histogram, 0), 0);
    cr_assert_eq(load_histogram_quantile_us(histogram, 100), 0);
    cr_assert_eq(load_histogram_quantile_us(histogram, 101), 1);
    cr_assert_eq(load_histogram_quantile_us(histogram, 5000), 49);
    cr_assert_eq(load_histogram_quantile_us(histogram, 9900), 98);
    cr_assert_eq(load_histogram_quantile_us(histogram, 9901), 99);
    cr_assert_eq(load_histogram_quantile_us(histogram, 10000), 99);
    free(histogram);
}

/* Each value alone: the quantile is the value itself (bounded by the maximum), so add a larger one and look
 * how far above the smaller the bucket's limit is. */
Test(histogram, error_is_below_a_64th)
{
    for (uint64_t value = 1; value < (uint64_t)1 << 33; value += value / 7 + 1) {
        struct load_histogram *histogram = new_histogram();
        load_histogram_record(histogram, value);
        load_histogram_record(histogram, value * 2);
        uint64_t median = load_histogram_quantile_us(histogram, 5000);
        cr_assert_geq(median, value);
        cr_assert_leq(median - value, value / 64, "%lu -> %lu", (unsigned long)value, (unsigned long)median);
        cr_assert_eq(load_histogram_quantile_us(histogram, 10000), value * 2);
        free(histogram);
    }
}

Test(histogram, huge_values_are_kept_at_the_end)
{
    struct load_histogram *histogram = new_histogram();
    load_histogram_record(histogram, UINT64_MAX);
    cr_assert_eq(histogram->buckets[LOAD_HISTOGRAM_BUCKETS - 1], 1);
    cr_assert_eq(histogram->max_us, UINT64_MAX);
    free(histogram);
}

Test(histogram, sums_of_two)
{
    struct load_histogram *a = new_histogram();
    struct load_histogram *b = new_histogram();
    load_histogram_record(a, 10);
    load_histogram_record(b, 20);
    load_histogram_record(b, 30);
    load_histogram_add(a, b);
    cr_assert_eq(a->count, 3);
    cr_assert_eq(a->sum_us, 60);
    cr_assert_eq(a->max_us, 30);
    cr_assert_eq(load_histogram_quantile_us(a, 5000), 20);
    load_histogram_add(b, a);
    cr_assert_eq(b->max_us, 30);
    free(a);
    free(b);
}
