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
 * http-parser 2.9.4 is unmaintained and lenient; what it does not refuse is refused here: bare LF and folded
 * headers (pure/http_head_scan.h), a missing, second or malformed Host, Content-Length that is not one number
 * or stands beside Transfer-Encoding, a Transfer-Encoding other than "chunked", sloppy chunk framing, long
 * chunk extensions and trailers.
 *
 * Owns no memory. Not thread-safe. */
#ifndef RP_PURE_HTTP_ADAPTER_H
#define RP_PURE_HTTP_ADAPTER_H

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
    struct rp_head_scan scan;
    struct rp_framing_scan framing;
    size_t overhead_bytes; /* chunk framing since the last byte of data */
    bool in_body;
    bool ended; /* END is due */
};

enum rp_http_event_kind { RP_HTTP_MORE, RP_HTTP_HEAD, RP_HTTP_BODY, RP_HTTP_END, RP_HTTP_BAD };

struct rp_http_event {
    enum rp_http_event_kind kind;
    size_t consumed;   /* bytes the caller must not offer again */
    const char *bytes; /* HEAD: the head; BODY: the data. Inside the caller's bytes */
    size_t length;
    unsigned status;    /* BAD: 400, 414, 417, 431, 501 or 505 */
    const char *reason; /* BAD: for people; static */
};

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

/* The set (one bit each) of methods in "GET" or "PUT,POST"; 0 when one is not known. */
uint64_t rp_http_method_parse(const char *methods);
const char *rp_http_method_text(unsigned method);
bool rp_http_method_is_head(unsigned method);

/* "Not Found"; "Unknown" for a status that has no name. */
const char *rp_http_status_text(unsigned status);

#endif
