#include "load/tally.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct load_tally *new_tally(void)
{
    struct load_tally *tally = calloc(1, sizeof(*tally));
    cr_assert_not_null(tally);
    return tally;
}

Test(tally, every_kind_has_a_name_of_its_own)
{
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++) {
        cr_assert_not_null(load_failure_name((enum load_failure)i));
        for (unsigned j = 0; j < i; j++)
            cr_assert_str_neq(load_failure_name((enum load_failure)i),
                              load_failure_name((enum load_failure)j));
    }
}

Test(tally, sums)
{
    struct load_tally *tally = new_tally();
    tally->answers[LOAD_FRESH] = 3;
    tally->answers[LOAD_KEEP_ALIVE] = 4;
    for (unsigned i = 0; i < LOAD_FAILURE_KINDS; i++) {
        tally->failures[LOAD_FRESH][i] = 1;
        tally->failures[LOAD_KEEP_ALIVE][i] = i;
    }
    cr_assert_eq(load_tally_answers(tally), 7);
    cr_assert_eq(load_tally_failures_of(tally, LOAD_FAILURE_BAD_BODY), 1 + LOAD_FAILURE_BAD_BODY);
    cr_assert_eq(load_tally_failures(tally),
                 LOAD_FAILURE_KINDS + LOAD_FAILURE_KINDS * (LOAD_FAILURE_KINDS - 1) / 2);
    free(tally);
}

Test(tally, idle_closes_are_no_failures)
{
    struct load_tally *tally = new_tally();
    tally->idle_closes = 5;
    tally->announced_closes = 6;
    cr_assert_eq(load_tally_failures(tally), 0);
    free(tally);
}

Test(tally, merge_adds_every_member)
{
    struct load_tally *a = new_tally();
    struct load_tally *b = new_tally();
    b->answers[LOAD_FRESH] = 1;
    b->answers[LOAD_KEEP_ALIVE] = 2;
    b->failures[LOAD_FRESH][LOAD_FAILURE_REFUSED] = 3;
    b->failures[LOAD_KEEP_ALIVE][LOAD_FAILURE_OTHER] = 4;
    b->connections = 5;
    b->idle_closes = 6;
    b->announced_closes = 7;
    load_counter_add(&b->versions, "v", 8);
    load_counter_add(&b->generations, "1", 9);
    load_counter_add(&b->pids, "100", 10);
    load_histogram_record(&b->latency_us, 11);
    load_tally_merge(a, b);
    cr_assert_eq(memcmp(a, b, sizeof(*a)), 0);
    load_tally_merge(a, b);
    cr_assert_eq(load_tally_answers(a), 6);
    cr_assert_eq(load_tally_failures(a), 14);
    cr_assert_eq(a->connections, 10);
    cr_assert_eq(a->idle_closes, 12);
    cr_assert_eq(a->announced_closes, 14);
    cr_assert_eq(load_counter_get(&a->versions, "v"), 16);
    cr_assert_eq(load_counter_get(&a->generations, "1"), 18);
    cr_assert_eq(load_counter_get(&a->pids, "100"), 20);
    cr_assert_eq(a->latency_us.count, 2);
    free(a);
    free(b);
}
