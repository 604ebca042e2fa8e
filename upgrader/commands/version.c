#include "pure/version.h"
#include "commands/commands.h"
#include "pure/request.h"
#include <stdio.h>

int rpctl_command_version(const struct rpctl_command_line *line)
{
    if (line->json)
        printf("{\"event\":\"version\",\"schema\":%d,\"version\":\"%s\",\"protocol\":%d}\n", RPCTL_SCHEMA,
               rpctl_version, RPCTL_PROTOCOL_VERSION);
    else
        printf("rpctl %s\n", rpctl_version);
    return 0;
}
