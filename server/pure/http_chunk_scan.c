/*   SIZE -';'-> EXT -> EXT_NAME -'='-> EXT_VALUE -------------.
 *     |          ^        |              |  '"'-> QUOTED '"'--+-> EXT_END
 *     |          '--';'---+--------------+--------------------'      |
 *     '----------------- CR ----------- CR --------------------------'
 *                         v
 *                      SIZE_CR -LF, size not 0-> DATA -CR-> DATA_CR -LF-> SIZE
 *                         '-LF, size 0-> TRAILER -> NAME -':'-> VALUE -CR-> VALUE_CR -LF-> TRAILER
 *                                           '-CR-> LAST_CR -LF-> COMPLETE
 *
 * Blanks are allowed where the grammar has BWS, and nowhere else. */
#include "pure/http_chunk_scan.h"

#include "pure/http_head_scan.h"

#include <string.h>

enum chunk_state {
    SIZE,
    SIZE_BLANK, /* behind a size or an extension: only ';' may follow */
    SIZE_CR,
    EXT,
    EXT_NAME,
    EXT_NAME_BLANK,
    EXT_VALUE_START,
    EXT_VALUE,
    QUOTED,
    QUOTED_PAIR,
    EXT_END,
    DATA,
    DATA_CR,
    TRAILER,
    NAME,
    VALUE,
    VALUE_CR,
    LAST_CR,
    COMPLETE,
};

static const char *const framing_fields[] = {"content-length", "transfer-encoding", "host"};
#define FRAMING_FIELD_COUNT (sizeof(framing_fields) / sizeof(framing_fields[0]))

static bool is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_hex_digit(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* The successors that all places have where a size or an extension may end. */
static int scan_extension_end(unsigned char byte, int blank)
{
    if (byte == '\r') return SIZE_CR;
    if (byte == ';') return EXT;
    return is_blank(byte) ? blank : -RP_CHUNK_SCAN_BAD_EXTENSION;
}

static int scan_size(struct rp_chunk_scan *scan, unsigned char byte)
{
    if (is_hex_digit(byte)) {
        if (scan->digits == RP_CHUNK_SIZE_DIGITS_MAX) return -RP_CHUNK_SCAN_BAD_SIZE;
        scan->digits++;
        if (byte != '0') scan->nonzero = true;
        return SIZE;
    }
    int next = scan->digits > 0 ? scan_extension_end(byte, SIZE_BLANK) : -1;
    return next < 0 ? -RP_CHUNK_SCAN_BAD_SIZE : next;
}

static int scan_extension(unsigned char state, unsigned char byte)
{
    switch (state) {
    case EXT:
        if (is_blank(byte)) return EXT;
        return rp_is_token_char(byte) ? EXT_NAME : -RP_CHUNK_SCAN_BAD_EXTENSION;
    case EXT_NAME:
        if (rp_is_token_char(byte)) return EXT_NAME;
        return byte == '=' ? EXT_VALUE_START : scan_extension_end(byte, EXT_NAME_BLANK);
    case EXT_NAME_BLANK:
        if (byte == '=') return EXT_VALUE_START;
        break;
    case EXT_VALUE_START:
        if (is_blank(byte)) return EXT_VALUE_START;
        if (byte == '"') return QUOTED;
        return rp_is_token_char(byte) ? EXT_VALUE : -RP_CHUNK_SCAN_BAD_EXTENSION;
    case EXT_VALUE: return rp_is_token_char(byte) ? EXT_VALUE : scan_extension_end(byte, SIZE_BLANK);
    case QUOTED:
        if (byte == '"') return EXT_END;
        if (byte == '\\') return QUOTED_PAIR;
        return rp_is_field_char(byte) ? QUOTED : -RP_CHUNK_SCAN_BAD_EXTENSION;
    case QUOTED_PAIR: return rp_is_field_char(byte) ? QUOTED : -RP_CHUNK_SCAN_BAD_EXTENSION;
    case EXT_END: return scan_extension_end(byte, SIZE_BLANK);
    default: break;
    }
    if (is_blank(byte)) return state;
    return byte == ';' ? EXT : -RP_CHUNK_SCAN_BAD_EXTENSION;
}

static void begin_name(struct rp_chunk_scan *scan)
{
    scan->name_bytes = 0;
    scan->candidates = (1 << FRAMING_FIELD_COUNT) - 1;
}

static void match_name(struct rp_chunk_scan *scan, unsigned char byte)
{
    char lower = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
    for (size_t i = 0; i < FRAMING_FIELD_COUNT; i++) {
        bool matches = scan->candidates >> i & 1 && framing_fields[i][scan->name_bytes] == lower;
        if (!matches) scan->candidates &= (unsigned char)~(1u << i);
    }
    if (scan->candidates != 0) scan->name_bytes++;
}

static bool names_framing_field(const struct rp_chunk_scan *scan)
{
    for (size_t i = 0; i < FRAMING_FIELD_COUNT; i++) {
        if (scan->candidates >> i & 1 && framing_fields[i][scan->name_bytes] == '\0') return true;
    }
    return false;
}

static int scan_trailer(struct rp_chunk_scan *scan, unsigned char byte)
{
    switch (scan->state) {
    case TRAILER:
        if (byte == '\r') return LAST_CR;
        begin_name(scan);
        match_name(scan, byte);
        return rp_is_token_char(byte) ? NAME : -RP_CHUNK_SCAN_BAD_TRAILER;
    case NAME:
        if (byte == ':') return names_framing_field(scan) ? -RP_CHUNK_SCAN_FRAMING_FIELD : VALUE;
        match_name(scan, byte);
        return rp_is_token_char(byte) ? NAME : -RP_CHUNK_SCAN_BAD_TRAILER;
    case VALUE:
        if (byte == '\r') return VALUE_CR;
        return rp_is_field_char(byte) ? VALUE : -RP_CHUNK_SCAN_BAD_TRAILER;
    case VALUE_CR: return byte == '\n' ? TRAILER : -RP_CHUNK_SCAN_BAD_TRAILER;
    case LAST_CR: return byte == '\n' ? COMPLETE : -RP_CHUNK_SCAN_BAD_TRAILER;
    default: return -RP_CHUNK_SCAN_BAD_TRAILER;
    }
}

/* One byte: its successor state, or the negated reason for refusing it. */
static int scan_byte(struct rp_chunk_scan *scan, unsigned char byte)
{
    switch (scan->state) {
    case SIZE: return scan_size(scan, byte);
    case SIZE_CR:
        if (byte != '\n') return -RP_CHUNK_SCAN_BAD_SIZE;
        return scan->nonzero ? DATA : TRAILER;
    case DATA: return byte == '\r' ? DATA_CR : -RP_CHUNK_SCAN_BAD_END;
    case DATA_CR:
        scan->digits = 0;
        scan->nonzero = false;
        return byte == '\n' ? SIZE : -RP_CHUNK_SCAN_BAD_END;
    default: return scan->state < DATA ? scan_extension(scan->state, byte) : scan_trailer(scan, byte);
    }
}

enum rp_chunk_scan_result rp_chunk_scan(struct rp_chunk_scan *scan, const char *bytes, size_t length,
                                        uint64_t extension_bytes_max, size_t trailer_bytes_max)
{
    for (size_t i = 0; i < length; i++) {
        int state = scan_byte(scan, (unsigned char)bytes[i]);
        if (state < 0) return (enum rp_chunk_scan_result)(-state);
        bool extension = state == SIZE_BLANK || (state >= EXT && state <= EXT_END);
        if (extension && scan->extension_bytes++ >= extension_bytes_max) return RP_CHUNK_SCAN_TOO_LONG;
        if (state > TRAILER && scan->trailer_bytes++ >= trailer_bytes_max) return RP_CHUNK_SCAN_TOO_LONG;
        scan->state = (unsigned char)state;
    }
    return RP_CHUNK_SCAN_OK;
}

void rp_chunk_scan_data(struct rp_chunk_scan *scan)
{
    scan->state = DATA;
}
