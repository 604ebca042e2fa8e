#include "pure/http_answer.h"
#include <string.h>
#include <strings.h>

#define CHUNK_DIGITS_MAX 15 /* hexadecimal; more would pass 2^60 */

void rpctl_http_answer_init(struct rpctl_http_answer *answer)
{
    memset(answer, 0, sizeof *answer);
}

static void set_garbage(struct rpctl_http_answer *answer, const char *fault)
{
    answer->state = RPCTL_HTTP_ANSWER_GARBAGE;
    answer->fault = fault;
}

static void look_at_status(struct rpctl_http_answer *answer)
{
    rpctl_http_status_parse(&answer->status, answer->head, answer->head_bytes);
    if (answer->status.kind == RPCTL_HTTP_STATUS_GARBAGE) set_garbage(answer, "no HTTP/1 status line");
}

/* What the fields say about the end of the body. */
struct framing {
    bool chunked;
    bool encoded; /* Transfer-Encoding of another kind: ends with the connection */
    bool has_length;
    uint64_t length;
};

static bool field_is(const char *line, size_t name_length, const char *name)
{
    return name_length == strlen(name) && strncasecmp(line, name, name_length) == 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool parse_length(uint64_t *ret_length, const char *value, size_t value_length)
{
    uint64_t length = 0;
    if (value_length == 0) return false;
    for (size_t i = 0; i < value_length; i++) {
        if (value[i] < '0' || value[i] > '9') return false;
        uint64_t digit = (uint64_t)(value[i] - '0');
        if (length > (UINT64_MAX - digit) / 10) return false;
        length = length * 10 + digit;
    }
    *ret_length = length;
    return true;
}

static bool take_length(struct framing *framing, const char *value, size_t value_length)
{
    uint64_t length;
    if (!parse_length(&length, value, value_length)) return false;
    if (framing->has_length && framing->length != length) return false;
    framing->has_length = true;
    framing->length = length;
    return true;
}

static void take_encoding(struct framing *framing, const char *value, size_t value_length)
{
    static const char chunked[] = "chunked";
    size_t chunked_length = strlen(chunked);
    framing->encoded = true;
    framing->chunked = value_length >= chunked_length &&
                       strncasecmp(value + value_length - chunked_length, chunked, chunked_length) == 0;
}

/* One field line without its line end. False when its length of the body is none. */
static bool take_field(struct framing *framing, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    if (!colon) return true;
    const char *value = colon + 1;
    const char *end = line + length;
    while (value < end && is_blank(*value)) value++;
    while (end > value && (is_blank(end[-1]) || end[-1] == '\r')) end--;
    size_t name_length = (size_t)(colon - line);
    size_t value_length = (size_t)(end - value);
    if (field_is(line, name_length, "Content-Length")) return take_length(framing, value, value_length);
    if (field_is(line, name_length, "Transfer-Encoding")) take_encoding(framing, value, value_length);
    return true;
}

static bool take_fields(struct framing *framing, const struct rpctl_http_answer *answer)
{
    const char *line = answer->head + answer->status.line_bytes;
    const char *end = answer->head + answer->head_bytes;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline) break;
        if (!take_field(framing, line, (size_t)(newline - line))) return false;
        line = newline + 1;
    }
    return true;
}

static void begin_body(struct rpctl_http_answer *answer)
{
    struct framing framing = {0};
    int code = answer->status.code;
    if (!take_fields(&framing, answer))
        set_garbage(answer, "bad Content-Length");
    else if (code == 101 || code == 204 || code == 304)
        answer->state = RPCTL_HTTP_ANSWER_WHOLE;
    else if (framing.chunked)
        answer->state = RPCTL_HTTP_ANSWER_CHUNKED;
    else if (framing.encoded || !framing.has_length)
        answer->state = RPCTL_HTTP_ANSWER_UNTIL_EOF;
    else {
        answer->body_bytes = answer->left_bytes = framing.length;
        answer->state = framing.length > 0 ? RPCTL_HTTP_ANSWER_LENGTH : RPCTL_HTTP_ANSWER_WHOLE;
    }
}

static bool head_ends(const struct rpctl_http_answer *answer)
{
    const char *end = answer->head + answer->head_bytes;
    if (answer->head_bytes >= 2 && memcmp(end - 2, "\n\n", 2) == 0) return true;
    return answer->head_bytes >= 3 && memcmp(end - 3, "\n\r\n", 3) == 0;
}

static void end_head(struct rpctl_http_answer *answer)
{
    look_at_status(answer);
    if (answer->state == RPCTL_HTTP_ANSWER_GARBAGE) return;
    bool interim = answer->status.code < 200 && answer->status.code != 101;
    if (interim)
        answer->head_bytes = 0;
    else
        begin_body(answer);
}

static size_t feed_head(struct rpctl_http_answer *answer, const char *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length && answer->state == RPCTL_HTTP_ANSWER_HEAD) {
        if (answer->head_bytes == sizeof answer->head) {
            set_garbage(answer, "header too long");
            return taken;
        }
        answer->head[answer->head_bytes++] = bytes[taken++];
        if (head_ends(answer)) end_head(answer);
    }
    if (answer->state == RPCTL_HTTP_ANSWER_HEAD) look_at_status(answer);
    return taken;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

static void end_chunk_line(struct rpctl_http_answer *answer)
{
    answer->chunk = answer->left_bytes > 0 ? RPCTL_HTTP_CHUNK_DATA : RPCTL_HTTP_CHUNK_TRAILER_START;
    answer->chunk_digits = 0;
}

static void feed_chunk_size(struct rpctl_http_answer *answer, char byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0 && answer->chunk_digits < CHUNK_DIGITS_MAX) {
        answer->chunk_digits++;
        answer->left_bytes = answer->left_bytes * 16 + (uint64_t)digit;
    } else if (answer->chunk_digits == 0 || (byte != '\n' && byte != '\r' && byte != ';' && !is_blank(byte)))
        set_garbage(answer, "bad chunk size");
    else if (byte == '\n')
        end_chunk_line(answer);
    else
        answer->chunk = RPCTL_HTTP_CHUNK_EXTENSION;
}

static void feed_chunk_byte(struct rpctl_http_answer *answer, char byte)
{
    switch (answer->chunk) {
    case RPCTL_HTTP_CHUNK_SIZE: feed_chunk_size(answer, byte); break;
    case RPCTL_HTTP_CHUNK_EXTENSION:
        if (byte == '\n') end_chunk_line(answer);
        break;
    case RPCTL_HTTP_CHUNK_DATA:
        if (--answer->left_bytes == 0) answer->chunk = RPCTL_HTTP_CHUNK_DATA_END;
        break;
    case RPCTL_HTTP_CHUNK_DATA_END:
        if (byte == '\n')
            answer->chunk = RPCTL_HTTP_CHUNK_SIZE;
        else if (byte != '\r')
            set_garbage(answer, "a chunk longer than its size");
        break;
    case RPCTL_HTTP_CHUNK_TRAILER_START:
        if (byte == '\n')
            answer->state = RPCTL_HTTP_ANSWER_WHOLE;
        else if (byte != '\r')
            answer->chunk = RPCTL_HTTP_CHUNK_TRAILER;
        break;
    case RPCTL_HTTP_CHUNK_TRAILER:
        if (byte == '\n') answer->chunk = RPCTL_HTTP_CHUNK_TRAILER_START;
        break;
    }
}

static void feed_length(struct rpctl_http_answer *answer, size_t length)
{
    answer->left_bytes -= length < answer->left_bytes ? length : answer->left_bytes;
    if (answer->left_bytes == 0) answer->state = RPCTL_HTTP_ANSWER_WHOLE;
}

enum rpctl_http_answer_state rpctl_http_answer_feed(struct rpctl_http_answer *answer, const char *bytes,
                                                    size_t length)
{
    size_t taken = 0;
    if (answer->state == RPCTL_HTTP_ANSWER_HEAD) taken = feed_head(answer, bytes, length);
    if (answer->state == RPCTL_HTTP_ANSWER_LENGTH && taken < length) feed_length(answer, length - taken);
    while (answer->state == RPCTL_HTTP_ANSWER_CHUNKED && taken < length)
        feed_chunk_byte(answer, bytes[taken++]);
    return answer->state;
}

bool rpctl_http_answer_finish(struct rpctl_http_answer *answer)
{
    if (answer->state == RPCTL_HTTP_ANSWER_UNTIL_EOF) answer->state = RPCTL_HTTP_ANSWER_WHOLE;
    return answer->state == RPCTL_HTTP_ANSWER_WHOLE;
}
