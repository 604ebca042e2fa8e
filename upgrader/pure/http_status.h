/* The status line at the beginning of an HTTP/1 answer, from as many bytes as have arrived.
 *
 * Pure. */
#ifndef RPCTL_HTTP_STATUS_H
#define RPCTL_HTTP_STATUS_H

#include <stddef.h>

#define RPCTL_HTTP_STATUS_LINE_MAX      1024 /* a longer first line is garbage */
#define RPCTL_HTTP_STATUS_EXCERPT_BYTES 64

enum rpctl_http_status_kind {
    RPCTL_HTTP_STATUS_MORE,    /* a status line so far, but not to its end */
    RPCTL_HTTP_STATUS_CODE,    /* a whole status line */
    RPCTL_HTTP_STATUS_GARBAGE, /* no status line, and no further byte can make it one */
};

struct rpctl_http_status {
    enum rpctl_http_status_kind kind;
    int code;                                      /* of RPCTL_HTTP_STATUS_CODE: 100 to 599 */
    size_t line_bytes;                             /* of RPCTL_HTTP_STATUS_CODE: length with its line end */
    char excerpt[RPCTL_HTTP_STATUS_EXCERPT_BYTES]; /* of the first line, for people; '.' for what cannot be
                                                      shown */
};

/* Looks at all bytes from the beginning of the answer; none (length 0) is RPCTL_HTTP_STATUS_MORE. Takes a
 * bare LF as line end and a missing reason phrase, as clients do. */
void rpctl_http_status_parse(struct rpctl_http_status *ret_status, const char *bytes, size_t length);

#endif
