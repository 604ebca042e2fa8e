#include "pure/result_line.h"
#include "pure/exit_code.h"
#include "pure/printable.h"
#include "pure/request.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES 1024

/* Printable text lacks nothing but this to be a JSON string. */
static void escape(char quoted[2 * REASON_BYTES], const char *text)
{
    size_t used = 0;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') quoted[used++] = '\\';
        quoted[used++] = *text;
    }
    quoted[used] = '\0';
}

static size_t put_operation(char *text, size_t bytes, const struct rpctl_result_line *result)
{
    return (size_t)snprintf(text, bytes, ",\"operation\":\"%s\",\"generation\":%u,\"ms\":%.6f",
                            result->operation, result->generation, result->ms);
}

static size_t put_reason(char *text, size_t bytes, const char *reason)
{
    char clean[REASON_BYTES];
    char quoted[2 * REASON_BYTES];
    rpctl_printable_copy(clean, sizeof clean, reason, strlen(reason));
    escape(quoted, clean);
    return (size_t)snprintf(text, bytes, ",\"reason\":\"%s\"", quoted);
}

void rpctl_result_line_format(char text[RPCTL_RESULT_LINE_BYTES], const struct rpctl_result_line *result)
{
    size_t bytes = RPCTL_RESULT_LINE_BYTES;
    size_t used = (size_t)snprintf(
        text, bytes, "{\"event\":\"result\",\"schema\":%d,\"service\":\"%s\",\"exit\":%d,\"outcome\":\"%s\"",
        RPCTL_SCHEMA, result->service, result->exit, rpctl_exit_outcome(result->exit));
    if (result->operation) used += put_operation(text + used, bytes - used, result);
    if (result->reason[0]) used += put_reason(text + used, bytes - used, result->reason);
    used += (size_t)snprintf(text + used, bytes - used, "}");
    assert(used < bytes);
}
