#include "pure/http_status.h"
#include "pure/printable.h"
#include <stdbool.h>
#include <string.h>

/* d: a digit; e: the end of the code, a blank or a line end. */
static const char shape[] = "HTTP/1.d ddde";

static bool fits(char byte, char wanted)
{
    if (wanted == 'd') return byte >= '0' && byte <= '9';
    if (wanted == 'e') return byte == ' ' || byte == '\r' || byte == '\n';
    return byte == wanted;
}

static enum rpctl_http_status_kind kind_of(const char *bytes, size_t length, const char *line_end)
{
    size_t shape_bytes = strlen(shape);
    for (size_t i = 0; i < length && i < shape_bytes; i++) {
        if (!fits(bytes[i], shape[i])) return RPCTL_HTTP_STATUS_GARBAGE;
        if (i == 9 && (bytes[i] < '1' || bytes[i] > '5')) return RPCTL_HTTP_STATUS_GARBAGE;
    }
    /* "HTTP/1.1 200\r" with another byte behind it is no line end. */
    if (length > shape_bytes && bytes[shape_bytes - 1] == '\r' && bytes[shape_bytes] != '\n')
        return RPCTL_HTTP_STATUS_GARBAGE;
    size_t line_bytes = line_end ? (size_t)(line_end - bytes) + 1 : length;
    if (line_bytes > RPCTL_HTTP_STATUS_LINE_MAX) return RPCTL_HTTP_STATUS_GARBAGE;
    return line_end ? RPCTL_HTTP_STATUS_CODE : RPCTL_HTTP_STATUS_MORE;
}

void rpctl_http_status_parse(struct rpctl_http_status *ret_status, const char *bytes, size_t length)
{
    *ret_status = (struct rpctl_http_status){0};
    const char *line_end = length > 0 ? memchr(bytes, '\n', length) : NULL;
    ret_status->kind = kind_of(bytes, length, line_end);
    if (ret_status->kind == RPCTL_HTTP_STATUS_CODE) {
        ret_status->code = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
        ret_status->line_bytes = (size_t)(line_end - bytes) + 1;
    }
    size_t shown = line_end ? (size_t)(line_end - bytes) : length;
    if (shown > 0 && line_end && bytes[shown - 1] == '\r') shown--;
    rpctl_printable_copy_ascii(ret_status->excerpt, sizeof ret_status->excerpt, bytes, shown);
}
