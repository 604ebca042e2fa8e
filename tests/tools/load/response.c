#include "response.h"

#include <string.h>
#include <strings.h>

#define DECIMAL_DIGITS_MAX 18 /* more could overflow 64 bits */
#define HEX_DIGITS_MAX     15

void load_response_init(struct load_response *response)
{
    response->state = LOAD_RESPONSE_STATUS;
    response->status = 0;
    response->close = false;
    response->chunked = false;
    response->has_length = false;
    response->remaining_bytes = 0;
    response->body_bytes = 0;
    response->problem = NULL;
    response->line_length = 0;
    response->body_kept = 0;
    response->version[0] = '\0';
    response->generation[0] = '\0';
}

static void fail(struct load_response *response, const char *problem)
{
    response->state = LOAD_RESPONSE_BAD;
    response->problem = problem;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* Digits up to the first byte that is none; returns how many there were, 0 when too many. */
static size_t parse_number(const char *text, int base, size_t digits_max, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t digits = 0;
    while (digit_value(text[digits]) < base) {
        if (digits == digits_max) return 0;
        value = value * (uint64_t)base + (uint64_t)digit_value(text[digits]);
        digits++;
    }
    *ret_value = value;
    return digits;
}

static void on_status_line(struct load_response *response, const char *line)
{
    uint64_t status = 0;
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        parse_number(line + 9, 10, 3, &status) != 3 || status < 100 ||
        (line[12] != ' ' && line[12] != '\0')) {
        fail(response, "no HTTP/1.x status line");
        return;
    }
    response->status = (int)status;
    response->close = line[7] == '0';
    response->state = LOAD_RESPONSE_HEADERS;
}

static void copy_label(char label[LOAD_RESPONSE_LABEL_BYTES], const char *value)
{
    size_t length = strnlen(value, LOAD_RESPONSE_LABEL_BYTES - 1);
    memcpy(label, value, length);
    label[length] = '\0';
}

static void on_content_length(struct load_response *response, const char *value)
{
    uint64_t length = 0;
    size_t digits = parse_number(value, 10, DECIMAL_DIGITS_MAX, &length);
    if (digits == 0 || value[digits] != '\0') {
        fail(response, "Content-Length is not a number");
    } else if (response->has_length && length != response->remaining_bytes) {
        fail(response, "two Content-Lengths that differ");
    } else {
        response->has_length = true;
        response->remaining_bytes = length;
    }
}

static void on_header(struct load_response *response, const char *name, const char *value)
{
    if (strcasecmp(name, "Content-Length") == 0) {
        on_content_length(response, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        response->chunked = strcasecmp(value, "chunked") == 0;
        if (!response->chunked) fail(response, "unknown Transfer-Encoding");
    } else if (strcasecmp(name, "Connection") == 0) {
        if (strcasecmp(value, "close") == 0) response->close = true;
        if (strcasecmp(value, "keep-alive") == 0) response->close = false;
    } else if (strcasecmp(name, "X-Version") == 0) {
        copy_label(response->version, value);
    } else if (strcasecmp(name, "X-Generation") == 0) {
        copy_label(response->generation, value);
    }
}

static void on_headers_end(struct load_response *response)
{
    bool empty = response->status == 204 || response->status == 304;
    if (response->status < 200) {
        load_response_init(response);
    } else if (response->chunked && response->has_length) {
        fail(response, "both Content-Length and chunked");
    } else if (response->chunked) {
        response->state = LOAD_RESPONSE_CHUNK_SIZE;
    } else if (!response->has_length && !empty) {
        fail(response, "no length: a short answer could not be told from a whole one");
    } else {
        bool whole = empty || response->remaining_bytes == 0;
        response->state = whole ? LOAD_RESPONSE_WHOLE : LOAD_RESPONSE_BODY;
    }
}

static void on_header_line(struct load_response *response, char *line)
{
    if (line[0] == '\0') {
        on_headers_end(response);
        return;
    }
    char *colon = strchr(line, ':');
    if (!colon || colon == line) {
        fail(response, "header line without a name");
        return;
    }
    *colon = '\0';
    char *value = colon + 1;
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) value[--length] = '\0';
    on_header(response, line, value);
}

static void on_chunk_size(struct load_response *response, const char *line)
{
    uint64_t size = 0;
    size_t digits = parse_number(line, 16, HEX_DIGITS_MAX, &size);
    if (digits == 0 || (line[digits] != '\0' && line[digits] != ';')) {
        fail(response, "chunk size is not a number");
        return;
    }
    response->remaining_bytes = size;
    response->state = size > 0 ? LOAD_RESPONSE_CHUNK_DATA : LOAD_RESPONSE_TRAILERS;
}

static void on_chunk_end(struct load_response *response, const char *line)
{
    response->state = LOAD_RESPONSE_CHUNK_SIZE;
    if (line[0] != '\0') fail(response, "chunk is longer than its size");
}

static void on_line(struct load_response *response)
{
    char *line = response->line;
    switch (response->state) {
    case LOAD_RESPONSE_STATUS: on_status_line(response, line); break;
    case LOAD_RESPONSE_HEADERS: on_header_line(response, line); break;
    case LOAD_RESPONSE_CHUNK_SIZE: on_chunk_size(response, line); break;
    case LOAD_RESPONSE_CHUNK_END: on_chunk_end(response, line); break;
    case LOAD_RESPONSE_TRAILERS:
        if (line[0] == '\0') response->state = LOAD_RESPONSE_WHOLE;
        break;
    case LOAD_RESPONSE_BODY:
    case LOAD_RESPONSE_CHUNK_DATA:
    case LOAD_RESPONSE_WHOLE:
    case LOAD_RESPONSE_BAD: break;
    }
}

static size_t take_line(struct load_response *response, const char *data, size_t size)
{
    const char *newline = memchr(data, '\n', size);
    size_t taken = newline ? (size_t)(newline - data) + 1 : size;
    if (response->line_length + taken >= LOAD_RESPONSE_LINE_BYTES) {
        fail(response, "line too long");
        return 0;
    }
    memcpy(response->line + response->line_length, data, taken);
    response->line_length += taken;
    if (!newline) return taken;
    size_t length = response->line_length;
    response->line_length = 0;
    if (length < 2 || response->line[length - 2] != '\r' || memchr(response->line, '\0', length)) {
        fail(response, "line does not end with CRLF, or holds a NUL");
        return taken;
    }
    response->line[length - 2] = '\0';
    on_line(response);
    return taken;
}

static size_t take_body(struct load_response *response, const char *data, size_t size)
{
    size_t taken = size < response->remaining_bytes ? size : (size_t)response->remaining_bytes;
    size_t space = LOAD_RESPONSE_BODY_BYTES - response->body_kept;
    size_t kept = taken < space ? taken : space;
    memcpy(response->body + response->body_kept, data, kept);
    response->body_kept += kept;
    response->body_bytes += taken;
    response->remaining_bytes -= taken;
    if (response->remaining_bytes == 0) {
        bool chunk = response->state == LOAD_RESPONSE_CHUNK_DATA;
        response->state = chunk ? LOAD_RESPONSE_CHUNK_END : LOAD_RESPONSE_WHOLE;
    }
    return taken;
}

size_t load_response_feed(struct load_response *response, const char *data, size_t size)
{
    size_t taken = 0;
    while (taken < size && response->state < LOAD_RESPONSE_WHOLE) {
        bool body = response->state == LOAD_RESPONSE_BODY || response->state == LOAD_RESPONSE_CHUNK_DATA;
        taken += (body ? take_body : take_line)(response, data + taken, size - taken);
    }
    return taken;
}
