/* The grammar of lines in an HTTP/1.1 head, checked byte by byte.
 *
 * http-parser takes bare LF, folded headers, blanks in header names and, as Debian builds it, any five
 * letters for "HTTP/": each a way to make this server and a proxy before it disagree about what a request is.
 * The scan refuses them, and finds the end of the head. Owns nothing but its state; any split of the input
 * gives the same result. */
#ifndef RP_PURE_HTTP_HEAD_SCAN_H
#define RP_PURE_HTTP_HEAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_METHOD_BYTES_MAX 32 /* longer than any that is known here */

enum rp_scan_result {
    RP_SCAN_MORE,     /* fine so far */
    RP_SCAN_COMPLETE, /* the head ends here */
    RP_SCAN_BAD_REQUEST_LINE,
    RP_SCAN_METHOD_TOO_LONG,
    RP_SCAN_BAD_VERSION,
    RP_SCAN_WRONG_VERSION, /* well-formed, and not HTTP/1 */
    RP_SCAN_BAD_HEADER,
    RP_SCAN_FOLDED_HEADER,
    RP_SCAN_TARGET_TOO_LONG,
    RP_SCAN_HEAD_TOO_LONG,
};

struct rp_head_scan {
    uint32_t bytes; /* seen so far */
    uint32_t target_bytes;
    unsigned char version_bytes;
    unsigned char major; /* a digit */
    unsigned char state;
};

/* A scan of zeros stands before the first byte of a request line (blank lines before it are the caller's).
 * Looks at bytes[0…length); head_bytes_max is less than 4 GiB. With RP_SCAN_COMPLETE scan->bytes is the
 * length of the whole head. */
enum rp_scan_result rp_head_scan(struct rp_head_scan *scan, const char *bytes, size_t length,
                                 size_t target_bytes_max, size_t head_bytes_max);

/* tchar of RFC 9110, of which methods and header names are made. */
bool rp_is_token_char(unsigned char byte);
bool rp_is_token(const char *text, size_t length); /* and not empty */

/* Printable, blank, TAB or not ASCII: what a header value may hold. */
bool rp_is_field_char(unsigned char byte);
size_t rp_field_run(const char *text, size_t length); /* how many of them the text begins with */

#endif
