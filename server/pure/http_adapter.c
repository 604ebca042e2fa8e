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

#include "pure/target.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

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

/* ---- checks of a complete head ---- */

struct head_facts {
    unsigned hosts, lengths, encodings, expects;
    bool bad_host, bad_length, unknown_encoding, unknown_expect;
};

static bool slice_is(const char *base, struct rp_slice slice, const char *text)
{
    return slice.length == strlen(text) && strncasecmp(base + slice.offset, text, slice.length) == 0;
}

/* host[:port] of RFC 3986, by its characters: enough to keep blanks, commas lists and paths out. */
static bool host_ok(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || !strchr("-._~%!$&'()*+;=:[]", c))) return false;
    }
    return true;
}

static bool digits_only(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
    }
    return length > 0;
}

static void check_field(struct head_facts *facts, const char *base, const struct rp_http_field *field)
{
    const char *value = base + field->value.offset;
    if (slice_is(base, field->name, "host")) {
        facts->hosts++;
        if (!host_ok(value, field->value.length)) facts->bad_host = true;
    } else if (slice_is(base, field->name, "content-length")) {
        facts->lengths++;
        if (!digits_only(value, field->value.length)) facts->bad_length = true;
    } else if (slice_is(base, field->name, "transfer-encoding")) {
        facts->encodings++;
        if (!slice_is(base, field->value, "chunked")) facts->unknown_encoding = true;
    } else if (slice_is(base, field->name, "expect")) {
        facts->expects++;
        if (!slice_is(base, field->value, "100-continue")) facts->unknown_expect = true;
    }
}

static struct head_facts collect_facts(const char *base, const struct rp_http_head *head)
{
    struct head_facts facts = {0};
    for (size_t i = 0; i < head->field_count; i++) check_field(&facts, base, &head->fields[i]);
    return facts;
}

/* True if the head is refused. */
static bool refuse_fields(const struct head_facts *facts, unsigned minor, struct rp_http_event *event)
{
    if (facts->hosts > 1)
        refuse(event, 400, "more than one Host header");
    else if (facts->hosts == 0 && minor > 0)
        refuse(event, 400, "no Host header");
    else if (facts->bad_host)
        refuse(event, 400, "malformed Host header");
    else if (facts->lengths > 1)
        refuse(event, 400, "more than one Content-Length header");
    else if (facts->bad_length)
        refuse(event, 400, "malformed Content-Length header");
    else if (facts->lengths > 0 && facts->encodings > 0)
        refuse(event, 400, "both Content-Length and Transfer-Encoding");
    else if (facts->encodings > 0 && minor == 0)
        refuse(event, 400, "Transfer-Encoding in an HTTP/1.0 request");
    else if (facts->encodings > 1 || facts->unknown_encoding)
        refuse(event, 501, "a Transfer-Encoding other than chunked");
    else if (facts->unknown_expect)
        refuse(event, 417, "an Expect other than 100-continue");
    else
        return false;
    return true;
}

/* As Debian builds it, http-parser does not look at the letters of "HTTP/". */
static bool version_ok(const char *base, const struct rp_http_head *head)
{
    const char *version = base + head->target.offset + head->target.length + 1;
    return memcmp(version, "HTTP/", 5) == 0 && digits_only(version + 5, 1) && version[6] == '.' &&
           digits_only(version + 7, 1) && version[8] == '\r';
}

static bool refuse_target(const char *base, const struct rp_http_head *head, struct rp_http_event *event)
{
    struct rp_target target;
    bool split = rp_target_split(&target, base + head->target.offset, head->target.length);
    if (head->method == HTTP_CONNECT)
        refuse(event, 501, "CONNECT is not served");
    else if (!split || (target.path[0] == '*' && head->method != HTTP_OPTIONS))
        refuse(event, 400, "malformed request target");
    else
        return false;
    return true;
}

/* http-parser stopped inside the head: say why. */
static void refuse_parse_error(const struct rp_http_adapter *adapter, struct rp_http_event *event)
{
    switch (HTTP_PARSER_ERRNO(&adapter->parser)) {
    case HPE_INVALID_METHOD: refuse(event, 501, "unknown method"); break;
    case HPE_INVALID_VERSION: refuse(event, 400, "malformed HTTP version"); break;
    case HPE_INVALID_URL:
    case HPE_INVALID_HOST:
    case HPE_INVALID_PORT:
    case HPE_INVALID_PATH: refuse(event, 400, "malformed request target"); break;
    case HPE_HEADER_OVERFLOW: refuse(event, 431, "the head is too long"); break;
    case HPE_INVALID_CONTENT_LENGTH: refuse(event, 400, "malformed Content-Length header"); break;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        refuse(event, 400, "more than one Content-Length, or one beside Transfer-Encoding");
        break;
    case HPE_INVALID_TRANSFER_ENCODING: refuse(event, 501, "a Transfer-Encoding other than chunked"); break;
    case HPE_INVALID_CHUNK_SIZE: refuse(event, 400, "malformed chunk size"); break;
    default: refuse(event, 400, "malformed request"); break;
    }
}

static void describe_head(const struct http_parser *parser, const char *base, const struct head_facts *facts,
                          struct rp_http_head *head)
{
    head->method = parser->method;
    head->minor = parser->http_minor > 0 ? 1 : 0;
    head->keep_alive = http_should_keep_alive(parser) != 0;
    head->chunked = facts->encodings > 0;
    head->expect_continue = facts->expects > 0 && head->minor > 0;
    head->content_length = 0;
    for (size_t i = 0; facts->lengths > 0 && i < head->field_count; i++) {
        if (!slice_is(base, head->fields[i].name, "content-length")) continue;
        const char *value = base + head->fields[i].value.offset;
        /* http-parser has refused what does not fit 64 bits. */
        for (uint32_t k = 0; k < head->fields[i].value.length; k++)
            head->content_length = head->content_length * 10 + (uint64_t)(value[k] - '0');
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
    if (!version_ok(bytes, head)) return refuse(event, 400, "malformed HTTP version");
    if (adapter->parser.http_major != 1) return refuse(event, 505, "not HTTP/1");
    if (parse.too_many_fields) return refuse(event, 431, "too many headers");
    struct head_facts facts = collect_facts(bytes, head);
    describe_head(&adapter->parser, bytes, &facts, head);
    if (refuse_fields(&facts, head->minor, event) || refuse_target(bytes, head, event)) return;
    adapter->scan = (struct rp_head_scan){0};
    adapter->framing = (struct rp_framing_scan){0};
    adapter->overhead_bytes = 0;
    adapter->in_body = true;
    *event =
        (struct rp_http_event){.kind = RP_HTTP_HEAD, .consumed = length, .bytes = bytes, .length = length};
}

static void refuse_scan(enum rp_scan_result result, struct rp_http_event *event)
{
    switch (result) {
    case RP_SCAN_BAD_REQUEST_LINE: refuse(event, 400, "malformed request line"); break;
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
    if (result != RP_SCAN_COMPLETE) return refuse_scan(result, event);
    parse_head(adapter, bytes, head, event);
    if (event->kind == RP_HTTP_HEAD) event->consumed += skipped;
}

/* ---- the body ---- */

/* Bytes of a chunked body that are not data, before or behind the data of this event. True if refused. */
static bool refuse_framing(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                           const char *bytes, size_t length, struct rp_http_event *event)
{
    adapter->overhead_bytes += length;
    if (!rp_framing_scan(&adapter->framing, bytes, length))
        refuse(event, 400, "malformed chunk framing");
    else if (adapter->overhead_bytes > limits->head_bytes)
        refuse(event, 431, "chunk extensions or trailers are too long");
    else
        return false;
    return true;
}

static bool refuse_chunks(struct rp_http_adapter *adapter, const struct rp_http_limits *limits,
                          const struct parse *parse, const char *bytes, size_t consumed,
                          struct rp_http_event *event)
{
    if (!parse->data) return refuse_framing(adapter, limits, bytes, consumed, event);
    if (refuse_framing(adapter, limits, bytes, (size_t)(parse->data - bytes), event)) return true;
    const char *behind = parse->data + parse->data_length;
    rp_framing_scan_data(&adapter->framing);
    adapter->overhead_bytes = 0;
    return refuse_framing(adapter, limits, behind, (size_t)(bytes + consumed - behind), event);
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
    if (length == 0) return; /* to http-parser that would be the end of the stream */
    struct parse parse = {.adapter = adapter};
    size_t consumed = execute(&parse, bytes, length);
    if (parser_failed(adapter)) return refuse_parse_error(adapter, event);
    bool chunked = (adapter->parser.flags & F_CHUNKED) != 0;
    if (chunked && refuse_chunks(adapter, limits, &parse, bytes, consumed, event)) return;
    if (!chunked) consumed = finish_identity(&parse, bytes, consumed);
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
