/* The response to a request: complete in one call, or begun, written in pieces, and ended, now or later.
 *
 * Owns nothing of the caller's: bytes and strings are copied or in the kernel when a call returns. All
 * functions: on the thread of the handler's call only, as long as the request is valid (rp/request.h). None
 * of them calls back. When the client has gone, they do nothing and `ended` comes soon.
 *
 * The server sets Date, Content-Length or Transfer-Encoding, and Connection, leaves the body out for HEAD,
 * and sends responses in the order of the requests. */
#ifndef RP_RESPONSE_H
#define RP_RESPONSE_H

#include <rp/request.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_LENGTH_UNKNOWN         UINT64_MAX  /* chunked; until the connection's end for HTTP/1.0 */
#define RP_RESPONSE_HEADER_BYTES  8192u       /* of all rp_response_header of one response */
#define RP_RESPONSE_TEXT_BYTES    1024u       /* of one rp_response_text */
#define RP_WRITE_HIGH_WATER_BYTES 262144u     /* queued for the client: RP_WRITE_WAIT from here on */
#define RP_WRITE_QUEUE_BYTES_MAX  (16u << 20) /* rp_response_write refuses more */
#define RP_WRITE_TURN_BYTES       262144u     /* written in one go before others have their turn */

enum rp_write {
    RP_WRITE_MORE = 0, /* taken: go on */
    RP_WRITE_WAIT = 1, /* taken: write on when `writable` is called */
};

/* Adds a header; before the response begins. -EINVAL: not a header name, a control character in the value, or
 * a header that the server sets itself; -ENOBUFS: RP_RESPONSE_HEADER_BYTES; -EALREADY: it has begun; -ENOMEM.
 */
int rp_response_header(struct rp_request *request, const char *name, const char *value);

/* The whole response of `length` bytes, however many: those that the socket does not take are queued.
 * `content_type` may be NULL. -EALREADY: one has begun; -ECANCELED: the client has gone; -EINVAL: a status
 * that is not 200 to 599, a 205 with a body, or a control character in the content type; -ENOBUFS: the
 * content type and all headers are too long for a head; -ENOMEM: the connection is closed for it. With
 * -EINVAL and -ENOBUFS nothing has happened, and another answer may be given. */
int rp_response_send(struct rp_request *request, unsigned status, const char *content_type, const void *body,
                     size_t length);

/* The same with a formatted text/plain body in UTF-8; cut off at RP_RESPONSE_TEXT_BYTES. */
int rp_response_text(struct rp_request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins a response of `length` bytes or RP_LENGTH_UNKNOWN. Errors as rp_response_send. */
int rp_response_begin(struct rp_request *request, unsigned status, const char *content_type, uint64_t length);

/* Writes a piece. Returns an enum rp_write, or -EINVAL: not begun, or complete; -EOVERFLOW: more than was
 * announced; -ENOBUFS: it would make the queue longer than RP_WRITE_QUEUE_BYTES_MAX, because it is so large
 * itself or because RP_WRITE_WAIT was not heeded; with these three nothing of it is taken. -ECANCELED: the
 * client has gone; -ENOMEM: the connection is closed for it. */
int rp_response_write(struct rp_request *request, const void *bytes, size_t length);

/* Completes it. With fewer bytes than announced: the same as rp_response_abort. */
void rp_response_end(struct rp_request *request);

/* The response cannot be completed: what is written is sent, and the connection ends without what would make
 * it whole, so that the client can tell. Also instead of a response that has not begun. Where only the
 * connection's end makes it whole (HTTP/1.0, RP_LENGTH_UNKNOWN) the client is reset, and may lose some of
 * what was written. */
void rp_response_abort(struct rp_request *request);

#ifdef __cplusplus
}
#endif

#endif
