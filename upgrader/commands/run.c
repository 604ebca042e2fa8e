#include "commands/client.h"
#include "commands/commands.h"
#include "commands/report.h"
#include "commands/service_setup.h"

int rpctl_command_run(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_service_setup setup;
    int code = rpctl_service_setup_init(&setup, line, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    setup.config.foreground = true;
    code = rpctl_supervisor_main(&setup.config);
    rpctl_service_setup_done(&setup);
    return code;
}
