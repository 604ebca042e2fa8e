#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct load_command parse_answers(const char *text)
{
    struct load_command command = {.kind = LOAD_COMMAND_BAD};
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') return command;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0') return command;
    command.kind = LOAD_COMMAND_ANSWERS;
    command.count = count;
    return command;
}

struct load_command load_command_parse(const char *line)
{
    struct load_command command = {.kind = LOAD_COMMAND_BAD};
    if (strcmp(line, "stop") == 0) {
        command.kind = LOAD_COMMAND_STOP;
    } else if (strcmp(line, "settle") == 0) {
        command.kind = LOAD_COMMAND_SETTLE;
    } else if (strncmp(line, "mark ", 5) == 0 && line[5] != '\0') {
        command.kind = LOAD_COMMAND_MARK;
        command.name = line + 5;
    } else if (strncmp(line, "answers ", 8) == 0) {
        command = parse_answers(line + 8);
    }
    return command;
}
