#include "shell/jobs.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#define MANY 200

static uv_loop_t loop;
static struct rpctl_jobs jobs;
static pthread_t loop_thread;

/* What happened, in order: a small letter when a job works, a capital when it is done. */
static char history[2 * MANY + 1];
static atomic_uint events;

struct job {
    struct rpctl_job job;
    char letter;
    sem_t *gate;                /* work waits for it */
    struct job *next_from_done; /* added by done */
    bool heap;
};

static void setup(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
    rpctl_jobs_init(&jobs, &loop);
    loop_thread = pthread_self();
    memset(history, 0, sizeof history);
    events = 0;
}

TestSuite(jobs, .init = setup, .timeout = 20);

static void note(char letter)
{
    history[atomic_fetch_add(&events, 1)] = letter;
}

static void work(struct rpctl_job *base)
{
    struct job *job = (struct job *)base;
    cr_assert_not(pthread_equal(pthread_self(), loop_thread), "it blocks the loop");
    if (job->gate) sem_wait(job->gate);
    note(job->letter);
}

static void done(struct rpctl_job *base)
{
    struct job *job = (struct job *)base;
    struct job *next = job->next_from_done;
    cr_assert(pthread_equal(pthread_self(), loop_thread));
    note((char)(job->letter - 'a' + 'A'));
    if (job->heap) {
        memset(job, 0xee, sizeof *job);
        free(job);
    }
    if (next) rpctl_jobs_add(&jobs, &next->job);
}

static struct job make(char letter)
{
    return (struct job){.job = {.work = work, .done = done}, .letter = letter};
}

static void run(void)
{
    cr_assert_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    cr_assert(rpctl_jobs_idle(&jobs));
}

static void finish(void)
{
    expect_loop_empty(&loop);
}

/* Every job's work stands after the work of the one before it, and its end behind its own work. */
static void expect_order(const char *letters)
{
    size_t position = 0;
    cr_assert_eq(events, 2 * strlen(letters), "%s", history);
    for (size_t i = 0; letters[i]; i++) {
        const char *worked = strchr(history + position, letters[i]);
        cr_assert_not_null(worked, "%c in %s", letters[i], history);
        position = (size_t)(worked - history);
        cr_assert_not_null(strchr(worked, letters[i] - 'a' + 'A'), "%s", history);
    }
}

Test(jobs, none)
{
    cr_assert(rpctl_jobs_idle(&jobs));
    run();
    finish();
}

Test(jobs, one)
{
    struct job a = make('a');
    rpctl_jobs_add(&jobs, &a.job);
    cr_assert_not(rpctl_jobs_idle(&jobs));
    run();
    cr_assert_str_eq(history, "aA");
    finish();
}

Test(jobs, nothing_is_done_before_add_returns)
{
    struct job a = make('a'), b = make('b');
    rpctl_jobs_add(&jobs, &a.job);
    rpctl_jobs_add(&jobs, &b.job);
    cr_assert_null(strpbrk(history, "AB"));
    run();
    expect_order("ab");
    finish();
}

Test(jobs, the_second_waits_for_the_first)
{
    sem_t gate;
    struct job a = make('a'), b = make('b'), c = make('c');
    sem_init(&gate, 0, 0);
    a.gate = &gate;
    rpctl_jobs_add(&jobs, &a.job);
    rpctl_jobs_add(&jobs, &b.job);
    rpctl_jobs_add(&jobs, &c.job);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(events, 0, "%s", history);
    sem_post(&gate);
    run();
    expect_order("abc");
    sem_destroy(&gate);
    finish();
}

Test(jobs, one_added_by_the_end_of_another)
{
    struct job a = make('a'), b = make('b');
    a.next_from_done = &b;
    rpctl_jobs_add(&jobs, &a.job);
    run();
    cr_assert_str_eq(history, "aAbB");
    finish();
}

/* It comes behind those that wait already. */
Test(jobs, one_added_by_the_end_of_another_while_a_third_waits)
{
    struct job a = make('a'), b = make('b'), c = make('c');
    a.next_from_done = &c;
    rpctl_jobs_add(&jobs, &a.job);
    rpctl_jobs_add(&jobs, &b.job);
    run();
    expect_order("abc");
    finish();
}

Test(jobs, one_may_free_itself)
{
    for (char letter = 'a'; letter <= 'e'; letter++) {
        struct job *job = malloc(sizeof *job);
        *job = make(letter);
        job->heap = true;
        rpctl_jobs_add(&jobs, &job->job);
    }
    run();
    expect_order("abcde");
    finish();
}

Test(jobs, the_same_one_again)
{
    struct job a = make('a');
    for (int i = 0; i < 3; i++) {
        rpctl_jobs_add(&jobs, &a.job);
        run();
    }
    cr_assert_str_eq(history, "aAaAaA");
    finish();
}

static atomic_int at_work;
static int jobs_done;

static void work_alone(struct rpctl_job *job)
{
    (void)job;
    cr_assert_eq(atomic_fetch_add(&at_work, 1), 0, "two at a time");
    sched_yield();
    atomic_fetch_sub(&at_work, 1);
}

static void count_done(struct rpctl_job *job)
{
    (void)job;
    jobs_done++;
}

Test(jobs, many_never_overlap)
{
    static struct rpctl_job many[MANY];
    for (int i = 0; i < MANY; i++) {
        many[i] = (struct rpctl_job){.work = work_alone, .done = count_done};
        rpctl_jobs_add(&jobs, &many[i]);
        if (i % 7 == 0) uv_run(&loop, UV_RUN_NOWAIT);
    }
    run();
    cr_assert_eq(jobs_done, MANY);
    finish();
}
