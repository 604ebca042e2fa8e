#include "run.h"

#include "client.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift32: the same sequence in every run. */
static uint32_t next_random(struct load_run *run)
{
    uint32_t x = run->random_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    run->random_state = x;
    return x;
}

uint64_t load_run_think_ns(struct load_run *run)
{
    uint64_t min_ns = run->options->think_min_ms * 1000000u;
    uint64_t range_ns = run->options->think_max_ms * 1000000u - min_ns;
    return min_ns + (range_ns >> 16) * (next_random(run) & 0xffff);
}

static void count_end(struct load_run *run, const struct load_client *client)
{
    run->ended++;
    if (!client->tried) run->untried--;
}

void load_run_answer(struct load_run *run, const struct load_client *client)
{
    struct load_tally *tally = &client->window->tally;
    const struct load_response *response = &client->response;
    count_end(run, client);
    tally->answers[client->kind]++;
    if (client->kind == LOAD_KEEP_ALIVE && response->close) tally->announced_closes++;
    load_counter_add(&tally->versions, response->version[0] ? response->version : "none", 1);
    load_counter_add(&tally->generations, response->generation[0] ? response->generation : "none", 1);
    if (client->server_pid != 0) {
        char label[16];
        snprintf(label, sizeof(label), "%" PRIu32, client->server_pid);
        if (load_counter_get(&tally->pids, label) == 0)
            load_report_pid(run, client->server_pid, client->whole_ns);
        load_counter_add(&tally->pids, label, 1);
    }
    load_histogram_record(&tally->latency_us, (client->whole_ns - client->begun_ns) / 1000);
}

void load_run_failure(struct load_run *run, const struct load_client *client, enum load_failure failure,
                      const char *reason)
{
    count_end(run, client);
    client->window->tally.failures[client->kind][failure]++;
    load_losses_add(&client->window->losses, &(struct load_loss){.kind = client->kind,
                                                                 .failure = failure,
                                                                 .server_pid = client->server_pid,
                                                                 .mss = client->mss,
                                                                 .connect_ns = client->connect_ns});
    if (run->details++ >= LOAD_DETAILS_MAX) return;
    uint64_t now_ns = load_now_ns();
    fprintf(stderr,
            "rp-load: t_ms=%" PRIu64 " failure=%s client=%u kind=%s state=%s local_port=%u age_ms=%" PRIu64
            " window=%s reason=\"%s\"\n",
            (now_ns - run->start_ns) / 1000000, load_failure_name(failure), client->number,
            load_client_kind_name(client->kind), load_client_state_name(client->state), client->local_port,
            (now_ns - client->begun_ns) / 1000000, client->window->name, reason);
}
