/* Whether one HTTP/1.1 answer to a GET has arrived whole, fed in pieces of any size.
 *
 * A health check that took a cut answer for a good one would promote a release that loses requests, so the
 * framing (Content-Length, chunked, or the end of the connection) is followed to its end. Pure. */
#ifndef RPCTL_HTTP_ANSWER_H
#define RPCTL_HTTP_ANSWER_H

#include "pure/http_status.h"
#include <stdbool.h>
#include <stdint.h>

#define RPCTL_HTTP_ANSWER_HEAD_MAX 16384 /* status line and header, of one answer */

enum rpctl_http_answer_state {
    RPCTL_HTTP_ANSWER_HEAD,      /* status line or header not whole yet */
    RPCTL_HTTP_ANSWER_LENGTH,    /* in a body with Content-Length */
    RPCTL_HTTP_ANSWER_CHUNKED,   /* in a chunked body */
    RPCTL_HTTP_ANSWER_UNTIL_EOF, /* in a body that ends with the connection */
    RPCTL_HTTP_ANSWER_WHOLE,
    RPCTL_HTTP_ANSWER_GARBAGE,
};

/* Where the decoder stands in a chunked body. */
enum rpctl_http_chunk_state {
    RPCTL_HTTP_CHUNK_SIZE,
    RPCTL_HTTP_CHUNK_EXTENSION,
    RPCTL_HTTP_CHUNK_DATA,
    RPCTL_HTTP_CHUNK_DATA_END,
    RPCTL_HTTP_CHUNK_TRAILER_START,
    RPCTL_HTTP_CHUNK_TRAILER,
};

struct rpctl_http_answer {
    enum rpctl_http_answer_state state;
    struct rpctl_http_status status; /* valid from the moment its line is whole, and on garbage */
    const char *fault;               /* of garbage: what is wrong, a constant text */
    uint64_t body_bytes;             /* of Content-Length: as declared */
    uint64_t left_bytes;             /* of that body or of this chunk, still to come */
    enum rpctl_http_chunk_state chunk;
    unsigned chunk_digits;
    size_t head_bytes;
    char head[RPCTL_HTTP_ANSWER_HEAD_MAX];
};

void rpctl_http_answer_init(struct rpctl_http_answer *answer);

/* Feeds the next bytes. Interim answers (1xx but 101) are skipped. Bytes behind a whole answer are ignored;
 * garbage stays garbage. Returns answer->state. */
enum rpctl_http_answer_state rpctl_http_answer_feed(struct rpctl_http_answer *answer, const char *bytes,
                                                    size_t length);

/* The connection ended here: true when the answer is whole (now). */
bool rpctl_http_answer_finish(struct rpctl_http_answer *answer);

#endif
