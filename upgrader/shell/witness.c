#include "shell/witness.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MAX                                                                                            \
    8 /* requests begun in one turn, when the loop was held up: a stall must not end in a volley */

struct request {
    struct rpctl_witness *witness;
    struct rpctl_check *check; /* NULL = this place is free */
    size_t address;
};

struct rpctl_witness {
    uv_timer_t timer;
    struct rp_address *addresses;
    size_t address_count;
    size_t next_address;
    enum rpctl_health_kind kind;
    char path[RPCTL_HEALTH_PATH_MAX];
    unsigned per_second;
    uint64_t start_ns;
    uint64_t begun; /* by the schedule, also those left out */
    size_t in_flight;
    struct request requests[RPCTL_WITNESS_IN_FLIGHT_MAX];
    struct rpctl_witness_figures figures;
    bool stopping;
    rpctl_witness_cb *callback;
    void *data;
};

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpctl_witness *witness = handle->data;
    witness->callback(&witness->figures, witness->data);
    free(witness->addresses);
    free(witness);
}

static void close_when_idle(struct rpctl_witness *witness)
{
    uv_handle_t *timer = (uv_handle_t *)&witness->timer;
    if (witness->stopping && witness->in_flight == 0 && !uv_is_closing(timer))
        uv_close(timer, on_timer_closed);
}

static void note_failure(struct rpctl_witness *witness, size_t address, const char *text)
{
    struct rpctl_witness_figures *figures = &witness->figures;
    char name[RP_ADDRESS_TEXT_BYTES];
    if (figures->failed++ > 0) return;
    rp_address_format(&witness->addresses[address], name);
    snprintf(figures->first_failure, sizeof figures->first_failure, "%s: %s", name, text);
}

static void on_checked(const struct rpctl_check_result *result, void *data)
{
    struct request *request = data;
    struct rpctl_witness *witness = request->witness;
    struct rpctl_witness_figures *figures = &witness->figures;
    request->check = NULL;
    witness->in_flight--;
    if (result->error != -ECANCELED && !result->no_socket) {
        figures->requests++;
        if (result->latency_ns > figures->slowest_ns) figures->slowest_ns = result->latency_ns;
        if (!result->good) note_failure(witness, request->address, result->text);
    }
    close_when_idle(witness);
}

static struct request *find_free(struct rpctl_witness *witness)
{
    for (size_t i = 0; i < RPCTL_WITNESS_IN_FLIGHT_MAX; i++)
        if (!witness->requests[i].check) return &witness->requests[i];
    return NULL;
}

static void begin_request(struct rpctl_witness *witness)
{
    struct request *request = find_free(witness);
    if (!request) return;
    request->witness = witness;
    request->address = witness->next_address;
    witness->next_address = (witness->next_address + 1) % witness->address_count;
    struct rpctl_check_request check = {
        .target = witness->addresses[request->address],
        .bound_fd = -1,
        .kind = witness->kind,
        .path = witness->path,
        .timeout_ms = RPCTL_WITNESS_TIMEOUT_MS,
    };
    /* Without memory or a socket there is no request: our want, not the service's failure. */
    int r = rpctl_check_start(witness->timer.loop, &check, on_checked, request, &request->check);
    if (r == 0) witness->in_flight++;
}

static void on_tick(uv_timer_t *timer)
{
    struct rpctl_witness *witness = timer->data;
    uint64_t elapsed_ms = (uv_hrtime() - witness->start_ns) / 1000000;
    uint64_t due = elapsed_ms * witness->per_second / 1000 + 1;
    if (due > witness->begun + BURST_MAX) witness->begun = due - BURST_MAX;
    while (witness->begun < due) {
        witness->begun++;
        begin_request(witness);
    }
}

static unsigned limit_rate(unsigned per_second)
{
    assert(per_second > 0);
    return per_second < RPCTL_WITNESS_PER_SECOND_MAX ? per_second : RPCTL_WITNESS_PER_SECOND_MAX;
}

static struct rpctl_witness *allocate(const struct rp_address *addresses, size_t count)
{
    struct rpctl_witness *witness = calloc(1, sizeof *witness);
    struct rp_address *copy = calloc(count, sizeof *copy);
    if (!witness || !copy) {
        free(witness);
        free(copy);
        return NULL;
    }
    memcpy(copy, addresses, count * sizeof *copy);
    witness->addresses = copy;
    witness->address_count = count;
    return witness;
}

int rpctl_witness_start(uv_loop_t *loop, const struct rp_address *addresses, size_t count,
                        enum rpctl_health_kind kind, const char *path, unsigned per_second,
                        struct rpctl_witness **ret_witness)
{
    assert(count > 0);
    struct rpctl_witness *witness = allocate(addresses, count);
    if (!witness) return -ENOMEM;
    witness->kind = kind;
    if (path) {
        size_t bytes = strlen(path) + 1;
        assert(bytes <= sizeof witness->path);
        memcpy(witness->path, path, bytes);
    }
    witness->per_second = limit_rate(per_second);
    witness->start_ns = uv_hrtime();
    witness->timer.data = witness;
    int r = uv_timer_init(loop, &witness->timer);
    assert(r == 0);
    r = uv_timer_start(&witness->timer, on_tick, 0, 1000 / witness->per_second);
    assert(r == 0);
    *ret_witness = witness;
    return 0;
}

void rpctl_witness_resume(struct rpctl_witness *witness, const struct rpctl_witness_figures *figures)
{
    witness->figures = *figures;
}

const struct rpctl_witness_figures *rpctl_witness_figures(const struct rpctl_witness *witness)
{
    return &witness->figures;
}

void rpctl_witness_stop(struct rpctl_witness *witness, rpctl_witness_cb *callback, void *data)
{
    assert(!witness->stopping);
    witness->stopping = true;
    witness->callback = callback;
    witness->data = data;
    uv_timer_stop(&witness->timer);
    close_when_idle(witness);
}

void rpctl_witness_cancel(struct rpctl_witness *witness, rpctl_witness_cb *callback, void *data)
{
    if (!witness->stopping) rpctl_witness_stop(witness, callback, data);
    for (size_t i = 0; i < RPCTL_WITNESS_IN_FLIGHT_MAX; i++)
        if (witness->requests[i].check) rpctl_check_cancel(witness->requests[i].check);
}
