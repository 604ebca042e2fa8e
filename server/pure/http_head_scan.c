#include "pure/http_head_scan.h"

#include <stdint.h>
#include <string.h>

enum head_state {
    METHOD,
    TARGET,
    VERSION,
    REQUEST_LINE_CR,
    LINE_START,
    NAME,
    VALUE,
    VALUE_CR,
    LAST_CR,
    COMPLETE,
};

bool rp_is_token_char(unsigned char byte)
{
    static const uint32_t token_chars[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return byte < 128 && (token_chars[byte / 32] >> (byte % 32) & 1) != 0;
}

bool rp_is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!rp_is_token_char((unsigned char)text[i])) return false;
    }
    return length > 0;
}

bool rp_is_field_char(unsigned char byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not zero if one of the eight bytes is no field character, or a TAB. */
static uint64_t marks_of(uint64_t word)
{
    uint64_t without_delete = word ^ EACH_BYTE(0x7f);
    uint64_t below_blank = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t zero = (without_delete - EACH_BYTE(0x01)) & ~without_delete;
    return (below_blank | zero) & EACH_BYTE(0x80);
}

size_t rp_field_run(const char *text, size_t length)
{
    size_t run = 0;
    uint64_t word;
    while (length - run >= sizeof word) {
        memcpy(&word, text + run, sizeof word);
        if (marks_of(word)) break;
        run += sizeof word;
    }
    while (run < length && rp_is_field_char((unsigned char)text[run])) run++;
    return run;
}

static bool is_target_char(unsigned char byte)
{
    return byte > 0x20 && byte != 0x7f && byte != '#';
}

/* "HTTP/" digit "." digit, with these letters (RFC 9112, 2.3). */
static int scan_version(struct rp_head_scan *scan, unsigned char byte)
{
    static const char pattern[] = "HTTP/0.0";
    char wanted = pattern[scan->version_bytes];
    if (wanted == '\0') {
        if (byte != '\r') return -RP_SCAN_BAD_VERSION;
        return scan->major == '1' ? REQUEST_LINE_CR : -RP_SCAN_WRONG_VERSION;
    }
    bool digit = byte >= '0' && byte <= '9';
    if (wanted == '0' ? !digit : byte != wanted) return -RP_SCAN_BAD_VERSION;
    if (digit && scan->major == 0) scan->major = byte;
    scan->version_bytes++;
    return VERSION;
}

/* One byte: its successor state, or the negated reason for refusing it. */
static int scan_request_line(struct rp_head_scan *scan, unsigned char byte)
{
    switch (scan->state) {
    case METHOD:
        if (rp_is_token_char(byte))
            return scan->bytes < RP_METHOD_BYTES_MAX ? METHOD : -RP_SCAN_METHOD_TOO_LONG;
        return byte == ' ' && scan->bytes > 0 ? TARGET : -RP_SCAN_BAD_REQUEST_LINE;
    case TARGET:
        if (byte == ' ' && scan->target_bytes > 0) return VERSION;
        scan->target_bytes++;
        return is_target_char(byte) ? TARGET : -RP_SCAN_BAD_REQUEST_LINE;
    case VERSION: return scan_version(scan, byte);
    default: return byte == '\n' ? LINE_START : -RP_SCAN_BAD_REQUEST_LINE;
    }
}

static int scan_header(const struct rp_head_scan *scan, unsigned char byte)
{
    switch (scan->state) {
    case LINE_START:
        if (byte == '\r') return LAST_CR;
        if (byte == ' ' || byte == '\t') return -RP_SCAN_FOLDED_HEADER;
        return rp_is_token_char(byte) ? NAME : -RP_SCAN_BAD_HEADER;
    case NAME:
        if (byte == ':') return VALUE;
        return rp_is_token_char(byte) ? NAME : -RP_SCAN_BAD_HEADER;
    case VALUE:
        if (byte == '\r') return VALUE_CR;
        return rp_is_field_char(byte) ? VALUE : -RP_SCAN_BAD_HEADER;
    case VALUE_CR: return byte == '\n' ? LINE_START : -RP_SCAN_BAD_HEADER;
    default: return byte == '\n' ? COMPLETE : -RP_SCAN_BAD_HEADER;
    }
}

#define RUN_OF(is_one_of_them)                                                                               \
    while (run < length && is_one_of_them((unsigned char)bytes[run])) run++;                                 \
    break

/* How many of the bytes leave the state as it is. Nearly all of a head are in such runs, so they are taken
 * in a tight loop; the byte that ends one takes the step above. */
static size_t run_of(unsigned char state, const char *bytes, size_t length)
{
    size_t run = 0;
    switch (state) {
    case METHOD:
    case NAME: RUN_OF(rp_is_token_char);
    case TARGET: RUN_OF(is_target_char);
    case VALUE: return rp_field_run(bytes, length);
    default: break;
    }
    return run;
}

/* Of the versions that there are, all bytes at once. */
static size_t skip_version(struct rp_head_scan *scan, const char *bytes, size_t length, size_t head_bytes_max)
{
    size_t size = sizeof "HTTP/1.1" - 1;
    if (scan->version_bytes > 0 || length < size || head_bytes_max - scan->bytes < size) return 0;
    if (memcmp(bytes, "HTTP/1.1", size) != 0 && memcmp(bytes, "HTTP/1.0", size) != 0) return 0;
    scan->version_bytes = (unsigned char)size;
    scan->major = '1';
    scan->bytes += (uint32_t)size;
    return size;
}

/* Up to the limits, so that it is the step that meets them. */
static size_t skip_run(struct rp_head_scan *scan, const char *bytes, size_t length, size_t target_bytes_max,
                       size_t head_bytes_max)
{
    if (scan->state == VERSION) return skip_version(scan, bytes, length, head_bytes_max);
    size_t most = head_bytes_max - scan->bytes;
    bool target = scan->state == TARGET;
    if (target && target_bytes_max - scan->target_bytes < most) most = target_bytes_max - scan->target_bytes;
    if (scan->state == METHOD && RP_METHOD_BYTES_MAX - scan->bytes < most)
        most = RP_METHOD_BYTES_MAX - scan->bytes;
    size_t run = run_of(scan->state, bytes, length < most ? length : most);
    scan->bytes += (uint32_t)run;
    if (target) scan->target_bytes += (uint32_t)run;
    return run;
}

enum rp_scan_result rp_head_scan(struct rp_head_scan *scan, const char *bytes, size_t length,
                                 size_t target_bytes_max, size_t head_bytes_max)
{
    for (size_t i = 0; i < length; i++) {
        i += skip_run(scan, bytes + i, length - i, target_bytes_max, head_bytes_max);
        if (i == length) break;
        unsigned char byte = (unsigned char)bytes[i];
        int state = scan->state < LINE_START ? scan_request_line(scan, byte) : scan_header(scan, byte);
        if (state < 0) return (enum rp_scan_result)(-state);
        if (scan->target_bytes > target_bytes_max) return RP_SCAN_TARGET_TOO_LONG;
        if (scan->bytes == head_bytes_max) return RP_SCAN_HEAD_TOO_LONG;
        scan->state = (unsigned char)state;
        scan->bytes++;
        if (state == COMPLETE) return RP_SCAN_COMPLETE;
    }
    return RP_SCAN_MORE;
}
