#include "shell/trial.h"

#include "shell/check.h"
#include "shell/service.h"

#include <stdio.h>
#include <stdlib.h>

struct request {
    struct rpctl_trial *trial;
    struct rp_address address;
    struct rpctl_check *check; /* NULL: none is under way */
};

struct rpctl_trial {
    uv_timer_t timer; /* its close callback frees */
    struct request requests[RP_ADDRESS_LIST_MAX];
    size_t request_count;
    struct rpctl_health health;
    unsigned rounds, interval_ms;
    unsigned bad; /* rounds */
    unsigned open;
    bool good; /* this round */
    bool closing;
    char text[RPCTL_CHECK_TEXT_BYTES + RP_ADDRESS_TEXT_BYTES + 8];
    rpctl_trial_cb *callback;
    void *data;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_when_quiet(struct rpctl_trial *trial)
{
    if (trial->open == 0) uv_close((uv_handle_t *)&trial->timer, on_closed);
}

static void finish(struct rpctl_trial *trial)
{
    trial->closing = true;
    trial->callback(trial->good, trial->text, trial->data);
    close_when_quiet(trial);
}

static void begin_round(struct rpctl_trial *trial);

static void on_timer(uv_timer_t *timer)
{
    begin_round(timer->data);
}

static void end_round(struct rpctl_trial *trial)
{
    if (!trial->good) trial->bad++;
    if (trial->good || trial->bad >= trial->rounds)
        finish(trial);
    else
        uv_timer_start(&trial->timer, on_timer, trial->interval_ms, 0);
}

static void note(struct rpctl_trial *trial, const struct request *request, bool good, const char *text)
{
    char address[RP_ADDRESS_TEXT_BYTES];

    if (!trial->good) return; /* the first bad answer is what is told */
    rp_address_format(&request->address, address);
    trial->good = good;
    snprintf(trial->text, sizeof trial->text, "%s: %s", address, text);
}

static void on_answer(const struct rpctl_check_result *result, void *data)
{
    struct request *request = data;
    struct rpctl_trial *trial = request->trial;

    request->check = NULL;
    trial->open--;
    note(trial, request, result->good, result->text);
    if (trial->closing)
        close_when_quiet(trial);
    else if (trial->open == 0)
        end_round(trial);
}

static void ask(struct rpctl_trial *trial, struct request *request)
{
    const struct rpctl_check_request check = {.target = request->address,
                                              .bound_fd = -1,
                                              .kind = trial->health.kind,
                                              .path = trial->health.path,
                                              .timeout_ms = RPCTL_PROBE_TIMEOUT_MS};

    if (rpctl_check_start(trial->timer.loop, &check, on_answer, request, &request->check) == 0)
        trial->open++;
    else
        note(trial, request, false, "no memory for a request");
}

static void begin_round(struct rpctl_trial *trial)
{
    trial->good = true;
    for (size_t i = 0; i < trial->request_count; i++) ask(trial, &trial->requests[i]);
    if (trial->open == 0) end_round(trial);
}

struct rpctl_trial *rpctl_trial_start(uv_loop_t *loop, const struct rpctl_trial_config *config,
                                      rpctl_trial_cb *callback, void *data)
{
    struct rpctl_trial *trial = calloc(1, sizeof *trial);

    if (!trial) return NULL;
    uv_timer_init(loop, &trial->timer);
    trial->timer.data = trial;
    trial->request_count = config->address_count;
    for (size_t i = 0; i < config->address_count; i++)
        trial->requests[i] = (struct request){.trial = trial, .address = config->addresses[i]};
    trial->health = config->health;
    trial->rounds = config->rounds;
    trial->interval_ms = config->interval_ms;
    trial->callback = callback;
    trial->data = data;
    uv_timer_start(&trial->timer, on_timer, 0, 0);
    return trial;
}

void rpctl_trial_cancel(struct rpctl_trial *trial)
{
    if (!trial) return;
    trial->closing = true;
    for (size_t i = 0; i < trial->request_count; i++)
        if (trial->requests[i].check) rpctl_check_cancel(trial->requests[i].check);
    close_when_quiet(trial);
}
