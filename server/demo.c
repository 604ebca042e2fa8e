/* server-v1 and server-v2: one source, built with two values of DEMO_RELEASE.
 *
 *   GET /          Client [ip:port] Received msg from Server PID: [pid]
 *   GET /healthz   ok
 *   GET /slow?ms=N
 *                  answers after N ms
 *   GET /stream?bytes=N&chunk=N&delay_ms=N&chunked=0|1
 *                  N bytes in pieces of `chunk`, byte i is i modulo 251; chunked=1: without a length
 *   POST /upload   byte count and CRC-32 of the body, which is never in memory as a whole
 */
#include "linux/misbehaviour.h"
#include "pure/crc32.h"
#include "shell/program.h"

#include <errno.h>
#include <inttypes.h>
#include <rp/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOW_MS_MAX          600000u
#define STREAM_BYTES_MAX     (UINT64_C(1) << 40)
#define STREAM_DEFAULT       (UINT64_C(1) << 20)
#define STREAM_PIECE_DEFAULT 16384u
#define STREAM_PIECE_MAX     65536u
#define STREAM_PERIOD        251u
#define STREAM_DELAY_MS_MAX  60000u

/* A query parameter as a number. False, after a 400 that names it, when it is malformed or out of range. */
static bool number(struct rp_request *request, const char *name, uint64_t min, uint64_t max,
                   uint64_t fallback, uint64_t *ret)
{
    char text[24];
    char *end;
    int result = rp_request_query_value(request, name, text, sizeof text);
    if (result == -ENOENT) {
        *ret = fallback;
        return true;
    }
    errno = 0;
    unsigned long long value = result == 0 && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    bool digits = result == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    if (digits && value >= min && value <= max) {
        *ret = value;
        return true;
    }
    rp_response_text(request, 400, "%s must be a number from %" PRIu64 " to %" PRIu64 "\n", name, min, max);
    return false;
}

static void answer_root(struct rp_request *request, void *user)
{
    struct rp_address peer;
    char text[RP_ADDRESS_TEXT_BYTES];
    (void)user;
    rp_request_peer(request, &peer);
    rp_address_format(&peer, text);
    rp_response_text(request, 200, "Client [%s] Received msg from Server PID: [%ld]\n", text, (long)getpid());
}

static void answer_health(struct rp_request *request, void *user)
{
    bool sick = rp_misbehaviour_is_sick(user);
    rp_response_text(request, sick ? 500 : 200, sick ? "sick\n" : "ok\n");
}

/* ---- /slow ---- */

static void answer_slow(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_text(request, 200, "slow\n");
}

static void handle_slow(struct rp_request *request, void *user)
{
    uint64_t ms;
    (void)user;
    if (!number(request, "ms", 0, SLOW_MS_MAX, 0, &ms)) return;
    if (rp_request_after(request, (uint32_t)ms, answer_slow, NULL) < 0)
        rp_response_text(request, 503, "out of memory\n");
}

/* ---- /stream ---- */

struct stream {
    uint64_t sent;
    uint64_t bytes;
    uint32_t piece_bytes;
    uint32_t delay_ms; /* between two pieces */
};

static enum rp_write write_piece(struct rp_request *request, struct stream *stream)
{
    unsigned char piece[STREAM_PIECE_MAX];
    uint64_t left = stream->bytes - stream->sent;
    size_t length = left < stream->piece_bytes ? (size_t)left : stream->piece_bytes;
    for (size_t i = 0; i < length; i++) piece[i] = (unsigned char)((stream->sent + i) % STREAM_PERIOD);
    stream->sent += length;
    int result = rp_response_write(request, piece, length);
    return result < 0 ? RP_WRITE_WAIT : (enum rp_write)result;
}

static void write_stream(struct rp_request *request, void *state)
{
    struct stream *stream = state;
    while (stream->sent < stream->bytes) {
        enum rp_write result = write_piece(request, stream);
        bool more = stream->sent < stream->bytes;
        if (more && stream->delay_ms > 0) {
            rp_request_after(request, stream->delay_ms, write_stream, stream);
            return;
        }
        if (more && result == RP_WRITE_WAIT) return;
    }
    rp_response_end(request);
}

static void stream_writable(struct rp_request *request, void *state)
{
    const struct stream *stream = state;
    if (stream->delay_ms == 0) write_stream(request, state);
}

static void stream_ended(struct rp_request *request, bool complete, void *state)
{
    (void)request;
    (void)complete;
    free(state);
}

static void handle_stream(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.writable = stream_writable, .ended = stream_ended};
    uint64_t bytes, piece_bytes, chunked, delay_ms;
    (void)user;
    if (!number(request, "bytes", 0, STREAM_BYTES_MAX, STREAM_DEFAULT, &bytes)) return;
    if (!number(request, "chunk", 1, STREAM_PIECE_MAX, STREAM_PIECE_DEFAULT, &piece_bytes)) return;
    if (!number(request, "chunked", 0, 1, 0, &chunked)) return;
    if (!number(request, "delay_ms", 0, STREAM_DELAY_MS_MAX, 0, &delay_ms)) return;
    struct stream *stream = malloc(sizeof *stream);
    if (!stream) {
        rp_response_text(request, 503, "out of memory\n");
        return;
    }
    *stream =
        (struct stream){.bytes = bytes, .piece_bytes = (uint32_t)piece_bytes, .delay_ms = (uint32_t)delay_ms};
    rp_request_watch(request, &events, stream);
    rp_response_begin(request, 200, "application/octet-stream", chunked ? RP_LENGTH_UNKNOWN : bytes);
    if (strcmp(rp_request_method(request), "HEAD") == 0)
        rp_response_end(request);
    else
        write_stream(request, stream);
}

/* ---- /upload ---- */

struct upload {
    uint64_t bytes;
    uint32_t crc;
};

static void upload_body(struct rp_request *request, const void *bytes, size_t length, void *state)
{
    struct upload *upload = state;
    (void)request;
    upload->bytes += length;
    upload->crc = rp_crc32(upload->crc, bytes, length);
}

static void upload_end(struct rp_request *request, void *state)
{
    const struct upload *upload = state;
    rp_response_text(request, 200, "bytes=%" PRIu64 " crc32=%08" PRIx32 "\n", upload->bytes, upload->crc);
}

static void upload_ended(struct rp_request *request, bool complete, void *state)
{
    (void)request;
    (void)complete;
    free(state);
}

static void handle_upload(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {
        .body = upload_body, .body_end = upload_end, .ended = upload_ended};
    struct upload *upload = calloc(1, sizeof *upload);
    (void)user;
    if (upload)
        rp_request_watch(request, &events, upload);
    else
        rp_response_text(request, 503, "out of memory\n");
}

/* ---- the program ---- */

static int add_headers(struct rp_server *server, struct rp_error *error)
{
    const struct rp_identity *identity = rp_server_identity(server);
    char generation[16];
    int result = rp_server_header(server, "X-Version", DEMO_RELEASE, error);
    if (result < 0 || !identity->supervised) return result;
    snprintf(generation, sizeof generation, "%u", identity->generation);
    return rp_server_header(server, "X-Generation", generation, error);
}

static int set_up(struct rp_server *server, void *user, struct rp_error *error)
{
    int result = add_headers(server, error);
    if (result == 0) result = rp_server_route(server, "GET", "/", answer_root, NULL, error);
    if (result == 0) result = rp_server_route(server, "GET", "/healthz", answer_health, user, error);
    if (result == 0) result = rp_server_route(server, "GET", "/slow", handle_slow, NULL, error);
    if (result == 0) result = rp_server_route(server, "GET", "/stream", handle_stream, NULL, error);
    if (result == 0)
        result = rp_server_route_streaming(server, "POST,PUT", "/upload", RP_BODY_BYTES_UNLIMITED,
                                           handle_upload, NULL, error);
    return result;
}

static void before_start(void *user)
{
    rp_misbehaviour_begin(user);
}

int main(int argc, char *argv[])
{
    struct rp_misbehaviour misbehaviour = {0};
    const struct rp_option_group extra = rp_misbehaviour_options(&misbehaviour);
    const struct rp_program program = {
        .name = "server-" DEMO_RELEASE,
        .summary = "A demo release for rpctl: says who it is, and can be slow, big and sick on demand.",
        .version = RP_VERSION,
        .extra = &extra,
        .set_up = set_up,
        .before_start = before_start,
        .user = &misbehaviour,
    };
    return rp_program_main(&program, argc, argv);
}
