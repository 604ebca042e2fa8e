/* HTTP/1.1 requests out of bytes: the one place that knows http-parser.
 *
 * The caller asks for the next event and gets one; nothing is called back, so a connection may end at any
 * event. A head is not touched until all of it is there: until then the bytes stay with the caller and the
 * adapter holds nothing of it but how far it has looked. So a connection between two requests, or with part
 * of a head, is fully described by its unconsumed bytes.
 *
 *   MORE ---bytes---> HEAD ---> BODY* ---> END ---> (next request) MORE or HEAD
 *                  \-> BAD: answer event.status and close; the adapter is of no more use
 *
 * http-parser 2.9.4 is unmaintained and lenient; what it does not refuse is refused here: bad lines
 * (pure/http_head_scan.h), heads that are well-formed and wrong (pure/http_head_check.h), sloppy chunk
 * framing (pure/http_chunk_scan.h), long chunk extensions and trailers.
 *
 * Owns no memory. Not thread-safe. */
#ifndef RP_PURE_HTTP_ADAPTER_H
#define RP_PURE_HTTP_ADAPTER_H

#include "pure/http_chunk_scan.h"
#include "pure/http_head_scan.h"

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_HTTP_FIELDS_MAX 100 /* header lines; beyond: 431 */

/* A piece of the head, counted from its first byte, so that it holds for a copy as well. */
struct rp_slice {
    uint32_t offset;
    uint32_t length;
};

struct rp_http_field {
    struct rp_slice name;
    struct rp_slice value; /* without blanks around it */
};

struct rp_http_head {
    unsigned method; /* bit number in the set of rp_http_method_parse */
    unsigned minor;  /* HTTP/1.minor, 0 or 1 */
    bool keep_alive;
    bool chunked;
    bool expect_continue;
    uint64_t content_length; /* 0 when there is none */
    struct rp_slice target;
    size_t field_count;
    struct rp_http_field fields[RP_HTTP_FIELDS_MAX];
};

struct rp_http_adapter {
    struct http_parser parser;
    struct rp_chunk_scan chunks;
    uint64_t data_bytes; /* of the body so far */
    struct rp_head_scan scan;
    enum rp_chunk_scan_result refused; /* to be said with the next event */
    bool in_body;
    bool chunked;
    bool ended; /* END is due */
};

enum rp_http_event_kind { RP_HTTP_MORE, RP_HTTP_HEAD, RP_HTTP_BODY, RP_HTTP_END, RP_HTTP_BAD };

struct rp_http_event {
    enum rp_http_event_kind kind;
    size_t consumed;   /* bytes the caller must not offer again */
    const char *bytes; /* HEAD: the head; BODY: the data. Inside the caller's bytes */
    size_t length;
    unsigned status;    /* BAD: 400, 411, 414, 417, 421, 431, 501 or 505 */
    const char *reason; /* BAD: for people; static */
    bool to_head;       /* BAD: the method is HEAD, so the answer has no body */
};

/* Trailers may be as long as a head, and so may all chunk extensions together; but more of these is allowed
 * as more data comes, so that they are a part of what is sent and not most of it. */
struct rp_http_limits {
    size_t head_bytes;
    size_t target_bytes;
};

void rp_http_adapter_init(struct rp_http_adapter *adapter);

/* The next event of all bytes not yet consumed, those offered before included. `head` is written with HEAD
 * only and may be shared by many adapters. With MORE all bytes may still be unconsumed: offer them again with
 * what comes behind them. */
void rp_http_adapter_next(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                          const char *bytes, size_t length, struct rp_http_head *head,
                          struct rp_http_event *ret_event);

/* Part of a head has been offered; the lone CR that may become a blank line is none. */
bool rp_http_adapter_in_head(const struct rp_http_adapter *adapter);

/* The set (one bit each) of methods in "GET" or "PUT,POST"; 0 when one is not known. */
uint64_t rp_http_method_parse(const char *methods);
const char *rp_http_method_text(unsigned method);
bool rp_http_method_is_head(unsigned method);

/* "Not Found"; "Unknown" for a status that has no name. */
const char *rp_http_status_text(unsigned status);

#endif
