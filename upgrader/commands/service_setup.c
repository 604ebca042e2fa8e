#include "commands/service_setup.h"
#include "commands/client.h"
#include "linux/reexec.h"
#include "pure/policy_settings.h"
#include <stdlib.h>
#include <string.h>

static void fill_config(struct rpctl_service_setup *setup, const struct rpctl_command_line *line)
{
    memcpy(setup->env, line->env, sizeof setup->env);
    setup->config = (struct rpctl_supervisor_config){
        .name = line->name,
        .binary = setup->release.binary,
        .args = line->args ? line->args : setup->no_args,
        .env = setup->env,
        .policy = rpctl_policy_default,
        .program = setup->program,
        .json = line->json,
        .quiet = line->quiet,
        .ready_fd = -1,
    };
}

int rpctl_service_setup_init(struct rpctl_service_setup *setup, const struct rpctl_command_line *line,
                             struct rp_error *error)
{
    *setup = (struct rpctl_service_setup){0};
    int code = rpctl_release_request_init(&setup->release, line, error);
    if (code != 0) return code;
    setup->program = rpctl_program_path();
    fill_config(setup, line);
    int result = rpctl_policy_settings_apply(&setup->config.policy, setup->release.policy, error);
    if (result == 0)
        result = rpctl_service_dir_open(&setup->config.dir, line->dir, line->name, RPCTL_SERVICE_DIR_CREATE,
                                        error);
    if (result < 0) rpctl_service_setup_done(setup);
    return rpctl_client_exit_code(result);
}

void rpctl_service_setup_done(struct rpctl_service_setup *setup)
{
    rpctl_service_dir_close(setup->config.dir);
    rpctl_release_request_done(&setup->release);
    free(setup->program);
    *setup = (struct rpctl_service_setup){0};
}
