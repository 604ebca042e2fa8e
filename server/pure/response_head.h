/* The head of a response: how its body is framed, whether the connection lives on, and the bytes.
 *
 * Pure: facts in, plan and bytes out. */
#ifndef RP_PURE_RESPONSE_HEAD_H
#define RP_PURE_RESPONSE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_RESPONSE_HEAD_BYTES_MAX 16384

enum rp_framing {
    RP_FRAMING_NONE,   /* the status allows no body and no length */
    RP_FRAMING_LENGTH, /* Content-Length */
    RP_FRAMING_CHUNKED,
    RP_FRAMING_CLOSE, /* until the end of the connection: HTTP/1.0 and no length */
};

struct rp_response_facts {
    unsigned status;
    uint64_t length; /* RP_LENGTH_UNKNOWN */
    bool to_head;    /* answers HEAD */
    unsigned minor;  /* the request's HTTP/1.minor */
    bool keep_alive; /* the request and the server's state allow it */
};

struct rp_response_plan {
    enum rp_framing framing;
    bool body;  /* body bytes go out */
    bool close; /* the connection ends after this response */
};

struct rp_response_plan rp_response_plan(const struct rp_response_facts *facts);

struct rp_response_head {
    struct rp_response_facts facts;
    struct rp_response_plan plan;
    const char *date;
    const char *content_type;   /* or NULL */
    const char *common_headers; /* ready lines, not terminated by zero */
    size_t common_bytes;
    const char *own_headers;
    size_t own_bytes;
};

/* Returns the length, or 0 when it does not fit. Not terminated. */
size_t rp_response_head_format(const struct rp_response_head *head, char *out, size_t size);

/* "1f\r\n" before a chunk of `length` > 0 bytes; returns its length. */
#define RP_CHUNK_PREFIX_BYTES 18
size_t rp_chunk_prefix_format(size_t length, char out[RP_CHUNK_PREFIX_BYTES]);

#endif
