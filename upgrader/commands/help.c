#include "commands/commands.h"
#include "commands/report.h"
#include "pure/help_text.h"

int rpctl_command_help(const struct rpctl_command_line *line)
{
    struct rpctl_text out = {0};
    rpctl_help_text_append(&out, line->topic);
    rpctl_report_text(&out);
    rpctl_text_done(&out);
    return 0;
}
