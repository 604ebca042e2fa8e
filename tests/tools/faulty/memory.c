/* Every function of libc that makes memory for the program itself, and through pure/json_memory.c for
 * jansson. libuv asks libc by itself and is left alone: it ends the process by design where it cannot go on.
 */
#include "faults.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define MEMORY(type, name, parameters, arguments)                                                            \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        return rpctl_fault_strikes(RPCTL_FAULT_MEMORY, #name, ENOMEM) ? NULL : __real_##name arguments;      \
    }

MEMORY(void *, malloc, (size_t bytes), (bytes))
MEMORY(void *, calloc, (size_t count, size_t bytes), (count, bytes))
MEMORY(void *, realloc, (void *memory, size_t bytes), (memory, bytes))
MEMORY(void *, reallocarray, (void *memory, size_t count, size_t bytes), (memory, count, bytes))
MEMORY(char *, strdup, (const char *text), (text))
MEMORY(char *, strndup, (const char *text, size_t bytes), (text, bytes))
MEMORY(cpu_set_t *, __sched_cpualloc, (size_t count), (count))

int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list arguments;

    if (rpctl_fault_strikes(RPCTL_FAULT_MEMORY, "asprintf", ENOMEM)) return -1;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list arguments;

    (void)flag;
    if (rpctl_fault_strikes(RPCTL_FAULT_MEMORY, "asprintf", ENOMEM)) return -1;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}
