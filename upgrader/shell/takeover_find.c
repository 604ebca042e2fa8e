#include "shell/takeover_internal.h"

#include "linux/state_file.h"
#include "shell/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_aside(struct rpctl_takeover *takeover, const struct rp_error *why)
{
    struct rpctl_service *service = takeover->service;

    snprintf(takeover->warning, sizeof takeover->warning,
             "the state of the former supervisor cannot be used (%.120s); it was set aside "
             "as " RPCTL_STATE_FILE_BAD,
             why->message);
    rpctl_service_log(service, "state=set-aside reason=\"%s\"", why->message);
    (void)rpctl_state_file_set_aside(rpctl_service_dir_fd(service->config->dir), NULL);
}

/* Another boot: its pids are other processes' now. Another service's: a directory was copied. */
static int check_origin(const struct rpctl_service *service, const struct rpctl_state *state,
                        struct rp_error *error)
{
    if (strcmp(state->service, service->config->name) != 0)
        return rp_error_set(error, -EPROTO, "it is of a service named %.60s", state->service);
    if (strcmp(state->boot_id, service->boot_id) != 0)
        return rp_error_set(error, -ESTALE, "the machine has been started anew since");
    return 0;
}

static void load_state(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rp_error error = {0};
    char *text = NULL;
    size_t length = 0;
    int dir_fd = rpctl_service_dir_fd(service->config->dir);
    int status = rpctl_state_file_read(dir_fd, RPCTL_STATE_BYTES_MAX, &text, &length, &error);

    if (status == -ENOENT) return;
    if (status == 0) status = rpctl_state_decode(&takeover->state, text, length, &error);
    free(text);
    if (status == 0) status = check_origin(service, &takeover->state, &error);
    if (status == 0) return;
    rpctl_state_done(&takeover->state);
    if (status == -ESTALE)
        (void)rpctl_state_file_remove(dir_fd);
    else
        set_aside(takeover, &error);
}

static void drop(struct rpctl_takeover *takeover)
{
    takeover->service->takeover = NULL;
    rpctl_state_done(&takeover->state);
    free(takeover);
}

int rpctl_takeover_find(struct rpctl_service *service, bool *ret_found, struct rp_error *error)
{
    struct rpctl_takeover *takeover = calloc(1, sizeof *takeover);
    int status;

    if (!takeover) return rp_error_set(error, -ENOMEM, "no memory to look for what runs already");
    takeover->service = service;
    service->takeover = takeover;
    load_state(takeover);
    status = rpctl_adopt_all(service, takeover->state.document ? &takeover->state : NULL,
                             &takeover->processes, error);
    *ret_found = status == 0 && takeover->processes > 0;
    if (*ret_found && takeover->state.document) rpctl_relaunch_restore_crash(service, &takeover->state.crash);
    if (*ret_found)
        rpctl_keeper_hold(&service->keeper);
    else
        drop(takeover);
    return status;
}
