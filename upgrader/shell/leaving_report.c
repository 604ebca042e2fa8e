#include "shell/leaving_internal.h"

#include "pure/exit_code.h"
#include "shell/takeover.h"

#include <string.h>

struct rpctl_operation *rpctl_leaving_reported(const struct rpctl_leaving *leaving)
{
    return leaving->operation && leaving->operation->draining ? leaving->operation : NULL;
}

/* The phases are told in their order; that the listeners have left before the drain was over is no news. */
void rpctl_leaving_report_drained(struct rpctl_leaving *leaving)
{
    const struct rpctl_generation *generation = leaving->generation;
    struct rpctl_operation *operation = rpctl_leaving_reported(leaving);

    if (!operation || (operation->phase && strcmp(operation->phase, "close") == 0)) return; /* a second try */
    rpctl_operation_end(operation,
                        json_pack("{sI,sI}", "finished", (json_int_t)generation->finished, "cut",
                                  (json_int_t)generation->cut),
                        "%lu finished, %lu cut", generation->finished, generation->cut);
    rpctl_operation_begin(operation, "close", 0);
}

static void finish_operation(struct rpctl_operation *operation, const struct rpctl_generation *generation)
{
    int exit_code = RPCTL_EXIT_NOT_SPOTLESS;

    operation->drained = true;
    operation->finished = generation->finished;
    operation->cut = generation->cut;
    rpctl_operation_end(operation, NULL, "%s", "");
    if (generation->cut > 0)
        rpctl_operation_fail(operation, "%lu connections were cut at the drain deadline", generation->cut);
    else if (generation->had_to_be_killed)
        rpctl_operation_fail(operation,
                             "the old generation did not stop by the drain deadline and was killed");
    else if (generation->crash[0])
        rpctl_operation_fail(operation, "a process of the old generation ended with %s while it drained",
                             generation->crash);
    else
        exit_code = RPCTL_EXIT_DONE;
    rpctl_operation_finish(operation, exit_code);
}

void rpctl_leaving_finish(struct rpctl_leaving *leaving)
{
    struct rpctl_service *service = leaving->service;
    struct rpctl_generation *generation = leaving->generation;
    struct rpctl_operation *operation = rpctl_leaving_reported(leaving);

    rpctl_service_log(service, "gen=%u gone finished=%lu cut=%lu", generation->number, generation->finished,
                      generation->cut);
    leaving->operation = NULL;
    if (generation == service->candidate) {
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_NEW_RETIRED);
        return;
    }
    if (operation) {
        leaving->operation = operation;
        rpctl_leaving_report_drained(leaving);
        leaving->operation = NULL;
        finish_operation(operation, generation);
    }
    rpctl_service_forget_generation(service, generation);
    rpctl_takeover_on_gone(service);
}
