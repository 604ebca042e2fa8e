/* What a complete head means for the server, and what in it is refused although http-parser takes it: a
 * missing, second or malformed Host, a Content-Length that is not one number or stands beside
 * Transfer-Encoding, a Transfer-Encoding other than "chunked", an Expect other than "100-continue", a target
 * of a wrong form.
 *
 * Pure. */
#ifndef RP_PURE_HTTP_HEAD_CHECK_H
#define RP_PURE_HTTP_HEAD_CHECK_H

#include "pure/http_adapter.h"

struct rp_http_refusal {
    unsigned status; /* 0: not refused */
    const char *reason;
};

/* Of `head` method, minor, target and fields are given, which are pieces of what `base` points to. Writes
 * keep_alive, chunked, expect_continue and content_length. */
struct rp_http_refusal rp_http_head_check(const char *base, struct rp_http_head *head);

#endif
