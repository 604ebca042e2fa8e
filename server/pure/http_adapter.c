/* How http-parser is driven.
 *
 * Head: the scan finds its end first, then http_parser_execute gets exactly these bytes in one call. So no
 * callback is split, no body callback can come in that call, and the parser need not be paused at the end of
 * the headers. Afterwards it stands before the body, or has called on_message_complete if there is none.
 *
 * Body: on_body and on_message_complete pause the parser, which makes execute return at once. Two quirks of
 * 2.9.4: at the end of a Content-Length body it looks at the last byte twice (paused in on_body it has not
 * consumed that byte), and at the end of a chunk's data it has consumed the CR behind it. The first is hidden
 * by feeding that byte again at once; the second is why the framing scan is fed from the consumed count.
 *
 * After a message the parser is initialised anew: in the strict build it would else be dead after
 * `Connection: close`, in the other it would go on. */
#include "pure/http_adapter.h"

#include "pure/http_head_check.h"

#include <assert.h>
#include <string.h>

/* What the callbacks of one http_parser_execute call work on. */
struct parse {
    struct rp_http_adapter *adapter;
    struct rp_http_head *head; /* NULL in the body */
    const char *base;
    const char *data;
    size_t data_length;
    bool headers_complete;
    bool too_many_fields;
    bool last_was_value;
};

static void refuse(struct rp_http_event *event, unsigned status, const char *reason)
{
    *event = (struct rp_http_event){.kind = RP_HTTP_BAD, .status = status, .reason = reason};
}

static struct rp_slice slice_of(const struct parse *parse, const char *at, size_t length)
{
    return (struct rp_slice){.offset = (uint32_t)(at - parse->base), .length = (uint32_t)length};
}

static int on_url(struct http_parser *parser, const char *at, size_t length)
{
    struct parse *parse = parser->data;
    parse->head->target = slice_of(parse, at, length);
    return 0;
}

/* Trailers come here too, with no head: they are dropped. */
static int on_header_field(struct http_parser *parser, const char *at, size_t length)
{
    struct parse *parse = parser->data;
    struct rp_http_head *head = parse->head;
    if (!head || parse->too_many_fields) return 0;
    if (head->field_count == RP_HTTP_FIELDS_MAX) {
        parse->too_many_fields = true;
        return 0;
    }
    head->fields[head->field_count++] = (struct rp_http_field){.name = slice_of(parse, at, length)};
    return 0;
}

static int on_header_value(struct http_parser *parser, const char *at, size_t length)
{
    struct parse *parse = parser->data;
    struct rp_http_head *head = parse->head;
    if (!head || parse->too_many_fields) return 0;
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) length--;
    head->fields[head->field_count - 1].value = slice_of(parse, at, length);
    return 0;
}

static int on_headers_complete(struct http_parser *parser)
{
    struct parse *parse = parser->data;
    parse->headers_complete = true;
    /* An Upgrade that nobody here understands is ignored (RFC 9110, 7.8); left set it would end the parsing.
     */
    parser->upgrade = 0;
    return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t length)
{
    struct parse *parse = parser->data;
    parse->data = at;
    parse->data_length = length;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_message_complete(struct http_parser *parser)
{
    struct parse *parse = parser->data;
    parse->adapter->ended = true;
    http_parser_pause(parser, 1);
    return 0;
}

static size_t execute(struct parse *parse, const char *bytes, size_t length)
{
    static const struct http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    struct http_parser *parser = &parse->adapter->parser;
    if (HTTP_PARSER_ERRNO(parser) == HPE_PAUSED) http_parser_pause(parser, 0);
    parser->data = parse;
    size_t consumed = http_parser_execute(parser, &settings, bytes, length);
    parser->data = NULL;
    return consumed;
}

static bool parser_failed(const struct rp_http_adapter *adapter)
{
    enum http_errno code = HTTP_PARSER_ERRNO(&adapter->parser);
    return code != HPE_OK && code != HPE_PAUSED;
}

/* ---- the head ---- */

/* http-parser stopped inside the head: say why. */
static void refuse_parse_error(const struct rp_http_adapter *adapter, struct rp_http_event *event)
{
    switch (HTTP_PARSER_ERRNO(&adapter->parser)) {
    case HPE_INVALID_METHOD: refuse(event, 501, "unknown method"); break;
    case HPE_INVALID_URL:
    case HPE_INVALID_HOST:
    case HPE_INVALID_PORT:
    case HPE_INVALID_PATH: refuse(event, 400, "malformed request target"); break;
    case HPE_HEADER_OVERFLOW: refuse(event, 431, "the head is too long"); break;
    case HPE_INVALID_CONTENT_LENGTH: refuse(event, 400, "malformed Content-Length header"); break;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        refuse(event, 400, "more than one Content-Length, or one beside Transfer-Encoding");
        break;
    case HPE_INVALID_TRANSFER_ENCODING:
        refuse(event, 400, "a Transfer-Encoding that does not end in chunked, once");
        break;
    case HPE_INVALID_CHUNK_SIZE: refuse(event, 400, "malformed chunk size"); break;
    default: refuse(event, 400, "malformed request"); break;
    }
}

/* The scan has found the whole head in bytes[0…scan.bytes). */
static void parse_head(struct rp_http_adapter *adapter, const char *bytes, struct rp_http_head *head,
                       struct rp_http_event *event)
{
    struct parse parse = {.adapter = adapter, .head = head, .base = bytes};
    size_t length = adapter->scan.bytes;
    head->field_count = 0;
    http_parser_init(&adapter->parser, HTTP_REQUEST);
    size_t consumed = execute(&parse, bytes, length);
    if (parser_failed(adapter)) return refuse_parse_error(adapter, event);
    if (consumed != length || !parse.headers_complete) return refuse(event, 400, "malformed request");
    if (parse.too_many_fields) return refuse(event, 431, "too many headers");
    head->method = adapter->parser.method;
    head->minor = adapter->parser.http_minor > 0 ? 1 : 0;
    struct rp_http_refusal refusal = rp_http_head_check(bytes, head);
    if (refusal.status != 0) return refuse(event, refusal.status, refusal.reason);
    adapter->scan = (struct rp_head_scan){0};
    adapter->chunks = (struct rp_chunk_scan){0};
    adapter->refused = RP_CHUNK_SCAN_OK;
    adapter->data_bytes = 0;
    adapter->chunked = head->chunked;
    adapter->in_body = true;
    *event =
        (struct rp_http_event){.kind = RP_HTTP_HEAD, .consumed = length, .bytes = bytes, .length = length};
}

static void refuse_scan(enum rp_scan_result result, struct rp_http_event *event)
{
    switch (result) {
    case RP_SCAN_BAD_REQUEST_LINE: refuse(event, 400, "malformed request line"); break;
    case RP_SCAN_METHOD_TOO_LONG: refuse(event, 501, "unknown method"); break;
    case RP_SCAN_BAD_VERSION: refuse(event, 400, "malformed HTTP version"); break;
    case RP_SCAN_WRONG_VERSION: refuse(event, 505, "not HTTP/1"); break;
    case RP_SCAN_FOLDED_HEADER: refuse(event, 400, "folded header"); break;
    case RP_SCAN_TARGET_TOO_LONG: refuse(event, 414, "the request target is too long"); break;
    case RP_SCAN_HEAD_TOO_LONG: refuse(event, 431, "the head is too long"); break;
    default: refuse(event, 400, "malformed header"); break;
    }
}

/* Blank lines before a request line are skipped (RFC 9112, 2.2). Returns their bytes. */
static size_t skip_blank_lines(const char *bytes, size_t length)
{
    size_t skipped = 0;
    while (length - skipped >= 2 && memcmp(bytes + skipped, "\r\n", 2) == 0) skipped += 2;
    return skipped;
}

static bool is_to_head(const char *bytes, size_t length)
{
    return length >= 5 && memcmp(bytes, "HEAD ", 5) == 0;
}

static void next_in_head(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                         const char *bytes, size_t length, struct rp_http_head *head,
                         struct rp_http_event *event)
{
    size_t skipped = adapter->scan.bytes > 0 ? 0 : skip_blank_lines(bytes, length);
    bytes += skipped;
    length -= skipped;
    *event = (struct rp_http_event){.kind = RP_HTTP_MORE, .consumed = skipped};
    if (length == 0 || (length == 1 && bytes[0] == '\r')) return;
    size_t seen = adapter->scan.bytes;
    assert(length >= seen);
    enum rp_scan_result result =
        rp_head_scan(&adapter->scan, bytes + seen, length - seen, limits->target_bytes, limits->head_bytes);
    if (result == RP_SCAN_MORE) return;
    if (result == RP_SCAN_COMPLETE)
        parse_head(adapter, bytes, head, event);
    else
        refuse_scan(result, event);
    if (event->kind == RP_HTTP_HEAD)
        event->consumed += skipped;
    else
        event->to_head = is_to_head(bytes, length);
}

/* ---- the body ---- */

static void refuse_chunk(enum rp_chunk_scan_result result, struct rp_http_event *event)
{
    switch (result) {
    case RP_CHUNK_SCAN_BAD_SIZE: refuse(event, 400, "malformed chunk size"); break;
    case RP_CHUNK_SCAN_BAD_EXTENSION: refuse(event, 400, "malformed chunk extension"); break;
    case RP_CHUNK_SCAN_BAD_END: refuse(event, 400, "no end of line behind a chunk"); break;
    case RP_CHUNK_SCAN_FRAMING_FIELD: refuse(event, 400, "a trailer that only a header may be"); break;
    case RP_CHUNK_SCAN_TOO_LONG: refuse(event, 431, "chunk extensions or trailers are too long"); break;
    default: refuse(event, 400, "malformed trailer"); break;
    }
}

/* Bytes of a chunked body that are not data. */
static enum rp_chunk_scan_result scan_framing(struct rp_http_adapter *adapter,
                                              const struct rp_http_limits *limits, const char *bytes,
                                              size_t length)
{
    return rp_chunk_scan(&adapter->chunks, bytes, length, limits->head_bytes + adapter->data_bytes,
                         limits->head_bytes);
}

/* True if refused. What is wrong behind the data is said with the next event: the data comes first, however
 * the bytes were split. */
static bool refuse_chunks(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                          const struct parse *parse, const char *bytes, size_t consumed,
                          struct rp_http_event *event)
{
    size_t before = parse->data ? (size_t)(parse->data - bytes) : consumed;
    enum rp_chunk_scan_result result = scan_framing(adapter, limits, bytes, before);
    if (result != RP_CHUNK_SCAN_OK) {
        refuse_chunk(result, event);
        return true;
    }
    if (!parse->data) return false;
    const char *behind = parse->data + parse->data_length;
    rp_chunk_scan_data(&adapter->chunks);
    adapter->data_bytes += parse->data_length;
    adapter->refused = scan_framing(adapter, limits, behind, (size_t)(bytes + consumed - behind));
    return false;
}

/* http-parser has refused a byte of chunk framing; but if the scan refuses one before it, or the same, that
 * is the reason, however the bytes were split. */
static void refuse_body(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                        const char *bytes, size_t length, size_t consumed, struct rp_http_event *event)
{
    size_t seen = consumed < length ? consumed + 1 : length;
    enum rp_chunk_scan_result result = scan_framing(adapter, limits, bytes, seen);
    if (result == RP_CHUNK_SCAN_OK)
        refuse_parse_error(adapter, event);
    else
        refuse_chunk(result, event);
}

/* The last byte of a Content-Length body, which the parser wants to see a second time. */
static size_t finish_identity(struct parse *parse, const char *bytes, size_t consumed)
{
    const char *end = parse->data + parse->data_length;
    if (!parse->data || bytes + consumed == end) return consumed;
    assert(bytes + consumed + 1 == end);
    struct parse again = {.adapter = parse->adapter};
    return consumed + execute(&again, end - 1, 1);
}

static void next_in_body(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                         const char *bytes, size_t length, struct rp_http_event *event)
{
    *event = (struct rp_http_event){.kind = RP_HTTP_MORE};
    if (adapter->refused != RP_CHUNK_SCAN_OK) return refuse_chunk(adapter->refused, event);
    if (length == 0) return; /* to http-parser that would be the end of the stream */
    struct parse parse = {.adapter = adapter};
    size_t consumed = execute(&parse, bytes, length);
    if (parser_failed(adapter)) return refuse_body(adapter, limits, bytes, length, consumed, event);
    if (adapter->chunked && refuse_chunks(adapter, limits, &parse, bytes, consumed, event)) return;
    if (!adapter->chunked) consumed = finish_identity(&parse, bytes, consumed);
    event->consumed = consumed;
    if (!parse.data) return;
    event->kind = RP_HTTP_BODY;
    event->bytes = parse.data;
    event->length = parse.data_length;
}

void rp_http_adapter_init(struct rp_http_adapter *adapter)
{
    *adapter = (struct rp_http_adapter){0};
}

void rp_http_adapter_next(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                          const char *bytes, size_t length, struct rp_http_head *head,
                          struct rp_http_event *ret_event)
{
    if (adapter->in_body && !adapter->ended)
        next_in_body(adapter, limits, bytes, length, ret_event);
    else if (!adapter->in_body)
        return next_in_head(adapter, limits, bytes, length, head, ret_event);
    else
        *ret_event = (struct rp_http_event){.kind = RP_HTTP_MORE};
    /* Without data the end is an event by itself; with data it is the next one. */
    if (adapter->ended && ret_event->kind == RP_HTTP_MORE) {
        ret_event->kind = RP_HTTP_END;
        adapter->ended = adapter->in_body = false;
    }
}

bool rp_http_adapter_in_head(const struct rp_http_adapter *adapter)
{
    return adapter->scan.bytes > 0;
}

/* ---- names ---- */

static int method_number(const char *name, size_t length)
{
    for (unsigned method = HTTP_DELETE; method <= HTTP_SOURCE; method++) {
        const char *text = http_method_str((enum http_method)method);
        if (strlen(text) == length && memcmp(text, name, length) == 0) return (int)method;
    }
    return -1;
}

uint64_t rp_http_method_parse(const char *methods)
{
    uint64_t set = 0;
    for (;;) {
        size_t length = strcspn(methods, ",");
        int method = method_number(methods, length);
        if (method < 0) return 0;
        set |= UINT64_C(1) << method;
        if (methods[length] == '\0') return set;
        methods += length + 1;
    }
}

const char *rp_http_method_text(unsigned method)
{
    return http_method_str((enum http_method)method);
}

bool rp_http_method_is_head(unsigned method)
{
    return method == HTTP_HEAD;
}

const char *rp_http_status_text(unsigned status)
{
    const char *text = http_status_str((enum http_status)status);
    return text[0] == '<' ? "Unknown" : text;
}
