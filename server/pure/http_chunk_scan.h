/* The grammar of what is not data in a chunked body, checked byte by byte: size lines with their extensions,
 * the CRLF behind the data, and the trailers (RFC 9112, 7.1).
 *
 * http-parser decodes the chunks; but it takes any bytes behind a size, any two bytes behind the data (as
 * Debian builds it), bare LF, and framing fields among the trailers. Each is a way to make this server and a
 * proxy before it disagree about where a request ends. Owns nothing but its state; any split of the input
 * gives the same result. */
#ifndef RP_PURE_HTTP_CHUNK_SCAN_H
#define RP_PURE_HTTP_CHUNK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_CHUNK_SIZE_DIGITS_MAX 16

enum rp_chunk_scan_result {
    RP_CHUNK_SCAN_OK,
    RP_CHUNK_SCAN_BAD_SIZE,
    RP_CHUNK_SCAN_BAD_EXTENSION,
    RP_CHUNK_SCAN_BAD_END, /* no CRLF behind the data */
    RP_CHUNK_SCAN_BAD_TRAILER,
    RP_CHUNK_SCAN_FRAMING_FIELD, /* Content-Length, Transfer-Encoding or Host as a trailer (RFC 9110, 6.5.1)
                                  */
    RP_CHUNK_SCAN_TOO_LONG,
};

struct rp_chunk_scan {
    uint64_t extension_bytes; /* of all chunks */
    size_t trailer_bytes;
    unsigned char state;
    unsigned char digits;
    unsigned char name_bytes; /* of a trailer, as far as it matters */
    unsigned char candidates; /* framing fields that the name may still become, a bit each */
    bool nonzero;
};

/* A scan of zeros stands before the first size line. `extension_bytes_max` and `trailer_bytes_max` hold for
 * the whole body. */
enum rp_chunk_scan_result rp_chunk_scan(struct rp_chunk_scan *scan, const char *bytes, size_t length,
                                        uint64_t extension_bytes_max, size_t trailer_bytes_max);

/* Data of a chunk was seen: the next byte must begin the CRLF behind it. */
void rp_chunk_scan_data(struct rp_chunk_scan *scan);

#endif
