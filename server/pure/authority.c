#include "pure/authority.h"

#include <stdint.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Unreserved and sub-delims (RFC 3986, 2), but for the comma, which would join two Host fields into one. */
static bool is_name_char(char c)
{
    static const uint32_t name_chars[4] = {0, 0x2bff6fd2, 0x87fffffe, 0x47fffffe};
    unsigned char byte = (unsigned char)c;
    return byte < 128 && (name_chars[byte / 32] >> (byte % 32) & 1) != 0;
}

/* Bytes of a name or an IPv4 address; stops before what is none. */
static size_t name_length(const char *text, size_t length)
{
    size_t at = 0;
    for (;;) {
        while (at < length && is_name_char(text[at])) at++;
        bool escape =
            length - at >= 3 && text[at] == '%' && is_hex_digit(text[at + 1]) && is_hex_digit(text[at + 2]);
        if (!escape) return at;
        at += 3;
    }
}

/* Bytes of "[…]", an IPv6 address or what may come after it; 0 when it is none. */
static size_t literal_length(const char *text, size_t length)
{
    const char *end = memchr(text, ']', length);
    if (!end || end == text + 1) return 0;
    for (const char *c = text + 1; c < end; c++) {
        if (!is_name_char(*c) && *c != ':') return 0;
    }
    return (size_t)(end - text) + 1;
}

bool rp_authority_ok(const char *text, size_t length)
{
    bool literal = length > 0 && text[0] == '[';
    size_t at = literal ? literal_length(text, length) : name_length(text, length);
    if (literal && at == 0) return false;
    if (at == length) return true;
    if (text[at] != ':') return false;
    for (at++; at < length; at++) {
        if (!is_digit(text[at])) return false;
    }
    return true;
}
