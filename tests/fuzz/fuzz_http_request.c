/* Requests on a connection: what the adapter makes of them does not depend on the pieces in which they came.
 * The first byte chooses the limits, the second how the pieces are cut; the rest is sent three times: whole,
 * in pieces of changing length, and byte by byte. A short one is also cut at every place.
 *
 * Must hold besides: what an event points to is inside the bytes that were offered; events come in the order
 * HEAD BODY* END, and none behind BAD; what is longer than a limit is refused. */
#include "fuzz.h"
#include "pure/http_adapter.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_BYTES_MAX 256 /* longer inputs are not cut at every place */

/* All that a connection has seen, as a row of bytes. */
struct transcript {
    char *bytes;
    size_t length;
    size_t size;
    char last; /* 'H', 'B', 'E', '!' or 0 */
};

static void note(struct transcript *transcript, const void *bytes, size_t length)
{
    if (transcript->length + length > transcript->size) {
        transcript->size = 2 * (transcript->length + length);
        transcript->bytes = realloc(transcript->bytes, transcript->size);
        assert(transcript->bytes);
    }
    if (length > 0) memcpy(transcript->bytes + transcript->length, bytes, length);
    transcript->length += length;
}

static void note_event(struct transcript *transcript, char what)
{
    note(transcript, &what, 1);
    transcript->last = what;
}

/* ---- one connection ---- */

struct wire {
    struct rp_http_adapter adapter;
    struct rp_http_head head;
    const struct rp_http_limits *limits;
    struct transcript transcript;
    char *held; /* exactly as long as needed, so that the sanitizer sees a read past the end */
    size_t held_length;
    uint64_t body_bytes;
};

static void check_slice(const struct rp_http_event *event, struct rp_slice slice)
{
    if (slice.length > 0)
        assert(slice.offset < event->length && slice.length <= event->length - slice.offset);
}

static void note_slice(struct wire *wire, const struct rp_http_event *event, struct rp_slice slice)
{
    check_slice(event, slice);
    note(&wire->transcript, &slice.length, sizeof slice.length);
    if (slice.length > 0) note(&wire->transcript, event->bytes + slice.offset, slice.length);
}

static void take_head(struct wire *wire, const struct rp_http_event *event)
{
    const struct rp_http_head *head = &wire->head;
    char last = wire->transcript.last;
    assert(last == 0 || last == 'E');
    assert(event->length <= wire->limits->head_bytes && head->target.length <= wire->limits->target_bytes);
    assert(head->field_count <= RP_HTTP_FIELDS_MAX && head->minor <= 1);
    assert(!head->chunked || (head->content_length == 0 && head->minor == 1));
    assert(event->bytes[event->length - 1] == '\n');
    note_event(&wire->transcript, 'H');
    note(&wire->transcript, &head->method, sizeof head->method);
    note(&wire->transcript, &head->content_length, sizeof head->content_length);
    const bool facts[] = {head->keep_alive, head->chunked, head->expect_continue, head->minor > 0};
    note(&wire->transcript, facts, sizeof facts);
    note_slice(wire, event, head->target);
    for (size_t i = 0; i < head->field_count; i++) {
        note_slice(wire, event, head->fields[i].name);
        note_slice(wire, event, head->fields[i].value);
    }
    wire->body_bytes = 0;
}

/* How data is cut into events is open; how much of it comes, and in which order, is not. */
static void take_body(struct wire *wire, const struct rp_http_event *event)
{
    char last = wire->transcript.last;
    assert((last == 'H' || last == 'B') && event->length > 0);
    if (last == 'H') note_event(&wire->transcript, 'B');
    note(&wire->transcript, event->bytes, event->length);
    wire->body_bytes += event->length;
    if (!wire->head.chunked) assert(wire->body_bytes <= wire->head.content_length);
}

static void take_end(struct wire *wire)
{
    char last = wire->transcript.last;
    assert(last == 'H' || last == 'B');
    if (!wire->head.chunked) assert(wire->body_bytes == wire->head.content_length);
    note_event(&wire->transcript, 'E');
}

static void take_bad(struct wire *wire, const struct rp_http_event *event)
{
    assert(event->status >= 400 && event->status <= 505 && event->reason);
    note_event(&wire->transcript, '!');
    note(&wire->transcript, &event->status, sizeof event->status);
    note(&wire->transcript, event->reason, strlen(event->reason));
    note(&wire->transcript, event->to_head ? "h" : "-", 1);
}

static void hold(struct wire *wire, const char *bytes, size_t length, size_t consumed)
{
    size_t kept = wire->held_length - consumed;
    char *held = malloc(kept + length > 0 ? kept + length : 1);
    assert(held);
    if (kept > 0) memcpy(held, wire->held + consumed, kept);
    if (length > 0) memcpy(held + kept, bytes, length);
    free(wire->held);
    wire->held = held;
    wire->held_length = kept + length;
}

/* True as long as another event may be there. */
static bool take_event(struct wire *wire)
{
    struct rp_http_event event;
    rp_http_adapter_next(&wire->adapter, wire->limits, wire->held, wire->held_length, &wire->head, &event);
    assert(event.consumed <= wire->held_length);
    if (event.kind == RP_HTTP_HEAD || event.kind == RP_HTTP_BODY) {
        assert(event.bytes >= wire->held && event.length <= event.consumed);
        assert(event.bytes + event.length <= wire->held + event.consumed);
    }
    switch (event.kind) {
    case RP_HTTP_HEAD: take_head(wire, &event); break;
    case RP_HTTP_BODY: take_body(wire, &event); break;
    case RP_HTTP_END: take_end(wire); break;
    case RP_HTTP_BAD: take_bad(wire, &event); break;
    default: break;
    }
    hold(wire, NULL, 0, event.consumed);
    return event.kind != RP_HTTP_MORE && event.kind != RP_HTTP_BAD;
}

static void feed(struct wire *wire, const char *bytes, size_t length)
{
    if (wire->transcript.last == '!') return;
    hold(wire, bytes, length, 0);
    while (take_event(wire)) {
    }
    /* Whoever waits for more holds no more than a head. */
    if (wire->transcript.last != '!') assert(wire->held_length <= wire->limits->head_bytes);
}

static void wire_init(struct wire *wire, const struct rp_http_limits *limits)
{
    *wire = (struct wire){.limits = limits};
    rp_http_adapter_init(&wire->adapter);
}

/* What is left unparsed belongs to the result: another adapter must be able to go on from there. */
static void wire_done(struct wire *wire, struct transcript *ret_transcript)
{
    if (wire->transcript.last != '!') note(&wire->transcript, wire->held, wire->held_length);
    free(wire->held);
    *ret_transcript = wire->transcript;
}

/* ---- the ways to send ---- */

static void expect_same(struct wire *wire, const struct transcript *whole)
{
    struct transcript pieces;
    wire_done(wire, &pieces);
    assert(pieces.length == whole->length);
    if (whole->length > 0) assert(memcmp(pieces.bytes, whole->bytes, whole->length) == 0);
    free(pieces.bytes);
}

static void send_in_pieces(const struct rp_http_limits *limits, const char *bytes, size_t length,
                           uint8_t seed, const struct transcript *whole)
{
    struct wire wire;
    unsigned random = seed;
    wire_init(&wire, limits);
    for (size_t at = 0; at < length;) {
        random = random * 1103515245u + 12345u;
        size_t piece = 1 + (random >> 16) % (1 + (random >> 8) % 64);
        if (piece > length - at) piece = length - at;
        feed(&wire, bytes + at, piece);
        at += piece;
    }
    expect_same(&wire, whole);
}

static void send_single_bytes(const struct rp_http_limits *limits, const char *bytes, size_t length,
                              const struct transcript *whole)
{
    struct wire wire;
    wire_init(&wire, limits);
    for (size_t i = 0; i < length; i++) feed(&wire, bytes + i, 1);
    expect_same(&wire, whole);
}

static void send_cut(const struct rp_http_limits *limits, const char *bytes, size_t length, size_t at,
                     const struct transcript *whole)
{
    struct wire wire;
    wire_init(&wire, limits);
    feed(&wire, bytes, at);
    feed(&wire, bytes + at, length - at);
    expect_same(&wire, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rp_http_limits all_limits[] = {{16384, 8192}, {128, 32}, {65536, 65536}, {40, 64}};
    struct transcript whole;
    struct wire wire;
    if (size < 2) return 0;
    const struct rp_http_limits *limits = &all_limits[data[0] % (sizeof all_limits / sizeof all_limits[0])];
    const char *bytes = (const char *)data + 2;
    size_t length = size - 2;
    wire_init(&wire, limits);
    feed(&wire, bytes, length);
    wire_done(&wire, &whole);
    send_in_pieces(limits, bytes, length, data[1], &whole);
    send_single_bytes(limits, bytes, length, &whole);
    for (size_t at = 1; length <= CUTS_BYTES_MAX && at < length; at++)
        send_cut(limits, bytes, length, at, &whole);
    free(whole.bytes);
    return 0;
}
