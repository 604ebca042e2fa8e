/* Incremental parser of one HTTP/1.x answer: bytes in, verdict out. Pure.
 *
 * Owns nothing but its struct. Not built on http-parser on purpose: the servers under test use it, and a
 * judge must not share the mistakes of the judged. Stricter than a browser: lines end with CRLF, and an
 * answer must say how long its body is, so that a short one is always seen. 1xx answers are skipped. */
#ifndef LOAD_RESPONSE_H
#define LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_RESPONSE_LINE_BYTES  1024 /* longest status, header or chunk-size line */
#define LOAD_RESPONSE_LABEL_BYTES 24   /* X-Version and X-Generation, cut when longer */
#define LOAD_RESPONSE_BODY_BYTES  256  /* how much of the body is kept for inspection */

enum load_response_state {
    LOAD_RESPONSE_STATUS,
    LOAD_RESPONSE_HEADERS,
    LOAD_RESPONSE_BODY,
    LOAD_RESPONSE_CHUNK_SIZE,
    LOAD_RESPONSE_CHUNK_DATA,
    LOAD_RESPONSE_CHUNK_END,
    LOAD_RESPONSE_TRAILERS,
    LOAD_RESPONSE_WHOLE, /* complete: nothing more is taken */
    LOAD_RESPONSE_BAD,   /* not an answer: `problem` says why */
};

struct load_response {
    enum load_response_state state;
    int status;
    bool close; /* the connection ends after this answer */
    bool chunked;
    bool has_length;
    uint64_t remaining_bytes;
    uint64_t body_bytes;
    const char *problem;
    size_t line_length;
    size_t body_kept;
    char version[LOAD_RESPONSE_LABEL_BYTES];
    char generation[LOAD_RESPONSE_LABEL_BYTES];
    char line[LOAD_RESPONSE_LINE_BYTES];
    char body[LOAD_RESPONSE_BODY_BYTES];
};

/* Makes the parser ready for the next answer on a connection. */
void load_response_init(struct load_response *response);

/* Takes bytes until the answer is whole or bad; returns how many were taken. */
size_t load_response_feed(struct load_response *response, const char *data, size_t size);

#endif
