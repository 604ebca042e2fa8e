#include "load/counter.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct load_counter *new_counter(void)
{
    struct load_counter *counter = calloc(1, sizeof(*counter));
    cr_assert_not_null(counter);
    return counter;
}

Test(counter, counts_by_label)
{
    struct load_counter *counter = new_counter();
    load_counter_add(counter, "v1", 1);
    load_counter_add(counter, "v2", 5);
    load_counter_add(counter, "v1", 2);
    cr_assert_eq(counter->used, 2);
    cr_assert_eq(load_counter_get(counter, "v1"), 3);
    cr_assert_eq(load_counter_get(counter, "v2"), 5);
    cr_assert_eq(load_counter_get(counter, "v3"), 0);
    free(counter);
}

Test(counter, long_labels_are_cut)
{
    struct load_counter *counter = new_counter();
    load_counter_add(counter, "0123456789012345678901234567890", 1);
    load_counter_add(counter, "0123456789012345678901234567890", 1);
    cr_assert_eq(counter->used, 1);
    cr_assert_str_eq(counter->items[0].label, "01234567890123456789012");
    cr_assert_eq(counter->items[0].count, 2);
    free(counter);
}

Test(counter, the_last_slot_takes_the_rest)
{
    struct load_counter *counter = new_counter();
    char label[16];
    for (int i = 0; i < LOAD_COUNTER_LABELS + 10; i++) {
        snprintf(label, sizeof(label), "%d", i);
        load_counter_add(counter, label, 1);
    }
    cr_assert_eq(counter->used, LOAD_COUNTER_LABELS);
    cr_assert_eq(load_counter_get(counter, "0"), 1);
    cr_assert_eq(load_counter_get(counter, LOAD_COUNTER_REST), 11);
    free(counter);
}

Test(counter, merges)
{
    struct load_counter *a = new_counter();
    struct load_counter *b = new_counter();
    load_counter_add(a, "x", 1);
    load_counter_add(b, "x", 2);
    load_counter_add(b, "y", 3);
    load_counter_merge(a, b);
    cr_assert_eq(load_counter_get(a, "x"), 3);
    cr_assert_eq(load_counter_get(a, "y"), 3);
    free(a);
    free(b);
}
