#include "commands/lost_supervisor.h"

#include "linux/process.h"
#include "linux/state_file.h"
#include "pure/quote.h"
#include "pure/service_name.h"
#include "pure/state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIDS_BYTES 80

static int load(const struct rpctl_service_dir *dir, struct rpctl_state *ret_state)
{
    char boot_id[RPCTL_BOOT_ID_BYTES];
    char *text = NULL;
    size_t length = 0;
    int result = rpctl_boot_id_read(boot_id, NULL);
    if (result == 0)
        result =
            rpctl_state_file_read(rpctl_service_dir_fd(dir), RPCTL_STATE_BYTES_MAX, &text, &length, NULL);
    if (result == 0) result = rpctl_state_decode(ret_state, text, length, NULL);
    free(text);
    if (result == 0 && strcmp(ret_state->boot_id, boot_id) != 0) {
        rpctl_state_done(ret_state);
        result = -ESTALE;
    }
    return result;
}

static bool lives(const struct rpctl_state_process *recorded)
{
    struct rpctl_process process;
    if (recorded->pid <= 0 || rpctl_process_open(&process, recorded->pid, NULL) < 0) return false;
    bool same = process.start_time == recorded->start_time && !rpctl_process_is_dead(&process);
    rpctl_process_close(&process);
    return same;
}

/* "4711, 4712"; the number of processes that live. */
static unsigned list_pids(const struct rpctl_state *state, char text[PIDS_BYTES])
{
    size_t used = 0;
    unsigned count = 0;
    text[0] = '\0';
    for (size_t i = 0; i < state->generation_count; i++)
        for (size_t k = 0; k < state->generations[i].instance_count; k++) {
            const struct rpctl_state_process *process = &state->generations[i].instances[k].process;
            if (!lives(process)) continue;
            count++;
            if (used < PIDS_BYTES)
                used += (size_t)snprintf(text + used, PIDS_BYTES - used, "%s%d", used ? ", " : "",
                                         (int)process->pid);
        }
    return count;
}

static const char *binary_of(const struct rpctl_state *state)
{
    const struct rpctl_state_generation *serving = rpctl_state_find(state, state->serving);
    if (serving) return serving->binary;
    return state->generation_count > 0 ? state->generations[0].binary : "BINARY";
}

bool rpctl_lost_supervisor_explain(const struct rpctl_command_line *line, const struct rpctl_service_dir *dir,
                                   struct rp_error *error)
{
    struct rpctl_state state;
    char pids[PIDS_BYTES];
    if (load(dir, &state) < 0) return false;
    unsigned count = list_pids(&state, pids);
    bool named = strcmp(line->name, RPCTL_SERVICE_NAME_DEFAULT) != 0;
    if (count > 0)
        rp_error_set(error, -ENOENT,
                     "the supervisor of %s (pid %d) is gone; its servers go on (pid %s); bring it back with: "
                     "rpctl%s%s start %s",
                     line->name, (int)state.supervisor.pid, pids, named ? " -n " : "",
                     named ? line->name : "", rpctl_quote_path(binary_of(&state)).text);
    rpctl_state_done(&state);
    return count > 0;
}
