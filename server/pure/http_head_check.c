#include "pure/http_head_check.h"

#include "pure/authority.h"
#include "pure/http_list.h"
#include "pure/target.h"

#include <string.h>
#include <strings.h>

struct head_facts {
    unsigned hosts, lengths, encodings, expects;
    unsigned chunked, other_codings; /* elements of all Transfer-Encoding fields */
    bool chunked_last;
    bool bad_host, bad_length, unknown_expect;
    bool close, keep_alive; /* said by Connection */
};

static bool text_is(const char *text, size_t length, const char *expected)
{
    return length == strlen(expected) && strncasecmp(text, expected, length) == 0;
}

static struct rp_http_list list_of(const char *base, struct rp_slice value)
{
    /* http-parser reports no place for an empty value. */
    return (struct rp_http_list){.at = value.length > 0 ? base + value.offset : "", .left = value.length};
}

static void check_codings(struct head_facts *facts, const char *base, struct rp_slice value)
{
    struct rp_http_list list = list_of(base, value);
    const char *coding;
    size_t length;
    while (rp_http_list_next(&list, &coding, &length)) {
        facts->chunked_last = text_is(coding, length, "chunked");
        if (facts->chunked_last)
            facts->chunked++;
        else
            facts->other_codings++;
    }
}

static void check_connection(struct head_facts *facts, const char *base, struct rp_slice value)
{
    struct rp_http_list list = list_of(base, value);
    const char *option;
    size_t length;
    while (rp_http_list_next(&list, &option, &length)) {
        if (text_is(option, length, "close")) facts->close = true;
        if (text_is(option, length, "keep-alive")) facts->keep_alive = true;
    }
}

/* Decimal digits whose value fits; *ret_length is written then. */
static bool parse_length(const char *text, size_t length, uint64_t *ret_length)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - 1 - digit) / 10) return false; /* the largest stands for "none" */
        value = value * 10 + digit;
    }
    *ret_length = value;
    return length > 0;
}

static void check_field(struct head_facts *facts, const char *base, const struct rp_http_field *field,
                        struct rp_http_head *head)
{
    const char *name = base + field->name.offset;
    const char *value = base + field->value.offset;
    size_t name_length = field->name.length;
    size_t length = field->value.length;
    if (text_is(name, name_length, "host")) {
        facts->hosts++;
        if (!rp_authority_ok(value, length)) facts->bad_host = true;
    } else if (text_is(name, name_length, "content-length")) {
        facts->lengths++;
        if (!parse_length(value, length, &head->content_length)) facts->bad_length = true;
    } else if (text_is(name, name_length, "transfer-encoding")) {
        facts->encodings++;
        check_codings(facts, base, field->value);
    } else if (text_is(name, name_length, "connection")) {
        check_connection(facts, base, field->value);
    } else if (text_is(name, name_length, "expect")) {
        facts->expects++;
        if (!text_is(value, length, "100-continue")) facts->unknown_expect = true;
    }
}

static struct rp_http_refusal refused(unsigned status, const char *reason)
{
    return (struct rp_http_refusal){.status = status, .reason = reason};
}

static struct rp_http_refusal check_host(const struct head_facts *facts, unsigned minor)
{
    if (facts->hosts > 1) return refused(400, "more than one Host header");
    if (facts->hosts == 0 && minor > 0) return refused(400, "no Host header");
    if (facts->bad_host) return refused(400, "malformed Host header");
    return refused(0, NULL);
}

/* RFC 9112, 6.3. In HTTP/1.0 chunked is unknown, so a Transfer-Encoding there says that somebody before us
 * has framed the message otherwise; and a POST or PUT must have a length, for there is no other end. */
static struct rp_http_refusal check_framing(const struct head_facts *facts, const struct rp_http_head *head)
{
    if (facts->lengths > 1) return refused(400, "more than one Content-Length header");
    if (facts->bad_length) return refused(400, "malformed Content-Length header");
    if (facts->lengths > 0 && facts->encodings > 0)
        return refused(400, "both Content-Length and Transfer-Encoding");
    if (facts->encodings > 0 && head->minor == 0)
        return refused(400, "Transfer-Encoding in an HTTP/1.0 request");
    if (facts->encodings > 0 && (!facts->chunked_last || facts->chunked > 1))
        return refused(400, "a Transfer-Encoding that does not end in chunked, once");
    if (facts->other_codings > 0) return refused(501, "a Transfer-Encoding other than chunked");
    if (head->minor == 0 && facts->lengths == 0 && (head->method == HTTP_POST || head->method == HTTP_PUT))
        return refused(411, "HTTP/1.0, and no Content-Length");
    return refused(0, NULL);
}

/* RFC 9112, 3.2: each form has its methods; RFC 9110, 4.2: an http URI has a host and nobody's name in it.
 */
static struct rp_http_refusal check_target(const char *base, const struct rp_http_head *head)
{
    struct rp_target target;
    if (head->method == HTTP_CONNECT) return refused(501, "CONNECT is not served");
    bool split = rp_target_split(&target, base + head->target.offset, head->target.length);
    if (!split || (target.path[0] == '*' && head->method != HTTP_OPTIONS))
        return refused(400, "malformed request target");
    if (!target.absolute) return refused(0, NULL);
    bool no_host = target.authority_length == 0 || target.authority[0] == ':';
    if (no_host || !rp_authority_ok(target.authority, target.authority_length))
        return refused(400, "malformed authority in the request target");
    if (target.secure) return refused(421, "an https target on a connection without TLS");
    return refused(0, NULL);
}

struct rp_http_refusal rp_http_head_check(const char *base, struct rp_http_head *head)
{
    struct head_facts facts = {0};
    head->content_length = 0;
    for (size_t i = 0; i < head->field_count; i++) check_field(&facts, base, &head->fields[i], head);
    head->keep_alive = !facts.close && (head->minor > 0 || facts.keep_alive);
    head->chunked = facts.encodings > 0;
    head->expect_continue = facts.expects > 0 && head->minor > 0;
    struct rp_http_refusal refusal = check_host(&facts, head->minor);
    if (refusal.status == 0) refusal = check_framing(&facts, head);
    if (refusal.status == 0) refusal = check_target(base, head);
    if (refusal.status == 0 && facts.unknown_expect)
        refusal = refused(417, "an Expect other than 100-continue");
    return refusal;
}
