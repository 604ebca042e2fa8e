/* The lines that steer a run through standard input. Pure.
 *
 *   mark NAME    the window NAME is the current one from now on
 *   answers N    answer when N more requests have come to an end (well or badly)
 *   settle       answer when every request that was begun before the last mark has come to an end
 *   stop         begin no more requests, finish those under way, print the result */
#ifndef LOAD_COMMAND_H
#define LOAD_COMMAND_H

#include <stdint.h>

enum load_command_kind {
    LOAD_COMMAND_BAD,
    LOAD_COMMAND_MARK,
    LOAD_COMMAND_ANSWERS,
    LOAD_COMMAND_SETTLE,
    LOAD_COMMAND_STOP
};

struct load_command {
    enum load_command_kind kind;
    const char *name; /* mark: points into the line */
    uint64_t count;   /* answers */
};

struct load_command load_command_parse(const char *line);

#endif
