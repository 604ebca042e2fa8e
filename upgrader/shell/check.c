/* States of a check:
 *
 *   rpctl_check_start --> connecting --on_connect--> asking --on_read (whole, cut, garbage)--+
 *        |                    |  (TCP: done)           |                                       v
 *        +-- failed at once --+------- on_deadline, rpctl_check_cancel ----------------> closing --> callback
 *
 * finish() is the one arrow to `closing`: it settles the result and closes both handles; the second close
 * callback reports and frees. So the callback comes once, never from inside start or cancel, and the loop
 * holds nothing of the check any more. */
#include "shell/check.h"
#include "linux/process.h"
#include "pure/duration.h"
#include "pure/http_answer.h"
#include "pure/printable.h"
#include "pure/version.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES       8192
#define REQUEST_BYTES    (RPCTL_HEALTH_PATH_MAX + RP_ADDRESS_TEXT_BYTES + 128)
#define PATH_SHOWN_BYTES 80

struct rpctl_check {
    uv_tcp_t tcp;
    uv_timer_t deadline;
    unsigned open_handles;
    bool closing;
    enum rpctl_health_kind kind;
    unsigned timeout_ms;
    uint64_t start_ns;
    uv_connect_t connecting;
    uv_write_t asking;
    char request[REQUEST_BYTES];
    size_t request_bytes;
    char path_shown[PATH_SHOWN_BYTES];
    struct rpctl_http_answer answer;
    size_t received_bytes;
    char read_buffer[READ_BYTES];
    struct rpctl_check_result result;
    rpctl_check_cb *callback;
    void *data;
};

static void on_closed(uv_handle_t *handle)
{
    struct rpctl_check *check = handle->data;
    if (--check->open_handles > 0) return;
    check->callback(&check->result, check->data);
    free(check);
}

static void finish(struct rpctl_check *check, int error, bool good)
{
    assert(!check->closing);
    check->closing = true;
    check->result.good = good;
    check->result.error = error;
    check->result.latency_ns = uv_hrtime() - check->start_ns;
    uv_close((uv_handle_t *)&check->tcp, on_closed);
    uv_close((uv_handle_t *)&check->deadline, on_closed);
}

/* --- the ways it ends --- */

static const char *reason_of(int error)
{
    switch (-error) {
    case ECONNREFUSED: return "connection refused";
    case EPIPE:
    case ECONNRESET: return "connection reset";
    case ENETUNREACH: return "network unreachable";
    case EHOSTUNREACH: return "host unreachable";
    case EADDRNOTAVAIL: return "no such local address, or no free local port";
    case EMFILE: return "too many open files in rpctl (ulimit -n)";
    default: return strerror(-error);
    }
}

static void fail(struct rpctl_check *check, int error)
{
    snprintf(check->result.text, sizeof check->result.text, "%s", reason_of(error));
    finish(check, error, false);
}

static void fail_as_garbage(struct rpctl_check *check)
{
    const char *excerpt = check->answer.status.excerpt;
    snprintf(check->result.text, sizeof check->result.text, "garbage: %s: \"%s\"", check->answer.fault,
             excerpt);
    finish(check, -EPROTO, false);
}

static void fail_as_cut(struct rpctl_check *check)
{
    if (check->received_bytes == 0)
        snprintf(check->result.text, sizeof check->result.text, "closed without an answer");
    else
        snprintf(check->result.text, sizeof check->result.text,
                 "GET %s: the answer was cut off after %zu bytes", check->path_shown, check->received_bytes);
    finish(check, -ENODATA, false);
}

static void judge_answer(struct rpctl_check *check)
{
    int code = check->answer.status.code;
    check->result.status = code;
    snprintf(check->result.text, sizeof check->result.text, "GET %s %d", check->path_shown, code);
    finish(check, 0, code >= 200 && code < 300);
}

static void on_deadline(uv_timer_t *timer)
{
    struct rpctl_check *check = timer->data;
    char duration[RPCTL_DURATION_BYTES];
    if (check->closing) return;
    rpctl_duration_describe(check->timeout_ms, duration);
    snprintf(check->result.text, sizeof check->result.text, "no answer in %s", duration);
    finish(check, -ETIMEDOUT, false);
}

void rpctl_check_cancel(struct rpctl_check *check)
{
    if (check->closing) return;
    snprintf(check->result.text, sizeof check->result.text, "given up");
    finish(check, -ECANCELED, false);
}

/* --- the exchange --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct rpctl_check *check = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(check->read_buffer, sizeof check->read_buffer);
}

/* Of an answer that goes beyond what is read: its status tells, if there is one behind the interim answers.
 */
static void judge_long_answer(struct rpctl_check *check)
{
    if (check->answer.state == RPCTL_HTTP_ANSWER_HEAD)
        fail_as_cut(check);
    else
        judge_answer(check);
}

static void take_bytes(struct rpctl_check *check, size_t length)
{
    check->received_bytes += length;
    enum rpctl_http_answer_state state = rpctl_http_answer_feed(&check->answer, check->read_buffer, length);
    if (state == RPCTL_HTTP_ANSWER_WHOLE)
        judge_answer(check);
    else if (state == RPCTL_HTTP_ANSWER_GARBAGE)
        fail_as_garbage(check);
    else if (check->received_bytes >= RPCTL_CHECK_ANSWER_MAX)
        judge_long_answer(check);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct rpctl_check *check = stream->data;
    (void)buffer;
    if (check->closing || length == 0) return;
    if (length > 0)
        take_bytes(check, (size_t)length);
    else if (length != UV_EOF)
        fail(check, (int)length);
    else if (rpctl_http_answer_finish(&check->answer))
        judge_answer(check);
    else
        fail_as_cut(check);
}

/* A server may answer and close before it has read the request; what it said, or the reset, is seen by
 * on_read. */
static void on_asked(uv_write_t *request, int status)
{
    (void)request;
    (void)status;
}

static int ask(struct rpctl_check *check)
{
    uv_buf_t buffer = uv_buf_init(check->request, (unsigned)check->request_bytes);
    uv_stream_t *stream = (uv_stream_t *)&check->tcp;
    int r = uv_write(&check->asking, stream, &buffer, 1, on_asked);
    return r < 0 ? r : uv_read_start(stream, on_alloc, on_read);
}

static void on_connect(uv_connect_t *connecting, int status)
{
    struct rpctl_check *check = connecting->data;
    if (check->closing) return;
    if (status == 0 && check->kind == RPCTL_HEALTH_TCP) {
        snprintf(check->result.text, sizeof check->result.text, "connected");
        finish(check, 0, true);
        return;
    }
    int r = status < 0 ? status : ask(check);
    if (r < 0) fail(check, r);
}

/* --- the beginning --- */

static void use_loopback(struct rp_address *target)
{
    if (!rp_address_is_wildcard(target)) return;
    if (target->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&target->storage)->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)&target->storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target->v6only = false;
}

/* A Host field has no scope (RFC 6874): "[fe80::1%eth0]:80" is "[fe80::1]:80" there. */
static void format_host(const struct rp_address *target, char host[RP_ADDRESS_TEXT_BYTES])
{
    rp_address_format(target, host);
    char *scope = strchr(host, '%');
    char *end = scope ? strchr(scope, ']') : NULL;
    if (end) memmove(scope, end, strlen(end) + 1);
}

static void build_request(struct rpctl_check *check, const struct rp_address *target, const char *path)
{
    char host[RP_ADDRESS_TEXT_BYTES];
    assert(path && path[0] == '/' && strlen(path) < RPCTL_HEALTH_PATH_MAX);
    format_host(target, host);
    int length = snprintf(check->request, sizeof check->request,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: rpctl/%s\r\nAccept: */*\r\n"
                          "Connection: close\r\n\r\n",
                          path, host, rpctl_version);
    assert(length > 0 && (size_t)length < sizeof check->request);
    check->request_bytes = (size_t)length;
    rpctl_printable_copy(check->path_shown, sizeof check->path_shown, path, strlen(path));
}

static int begin(struct rpctl_check *check, const struct rp_address *target, int bound_fd)
{
    if (bound_fd >= 0) {
        int r = uv_tcp_open(&check->tcp, bound_fd);
        if (r < 0) {
            close(bound_fd);
            return r;
        }
    }
    check->connecting.data = check;
    int r = uv_tcp_connect(&check->connecting, &check->tcp, (const struct sockaddr *)&target->storage,
                           on_connect);
    uv_os_fd_t fd;
    check->result.no_socket = r < 0 && uv_fileno((uv_handle_t *)&check->tcp, &fd) < 0;
    return r;
}

static void init_handles(struct rpctl_check *check, uv_loop_t *loop)
{
    int r = uv_tcp_init(loop, &check->tcp);
    assert(r == 0);
    r = uv_timer_init(loop, &check->deadline);
    assert(r == 0);
    check->open_handles = 2;
    check->tcp.data = check;
    check->deadline.data = check;
    /* The loop's clock stands still during a turn, and a turn may have taken long. */
    uv_update_time(loop);
    r = uv_timer_start(&check->deadline, on_deadline, check->timeout_ms, 0);
    assert(r == 0);
}

int rpctl_check_start(uv_loop_t *loop, const struct rpctl_check_request *request, rpctl_check_cb *callback,
                      void *data, struct rpctl_check **ret_check)
{
    assert(request->kind == RPCTL_HEALTH_HTTP || request->kind == RPCTL_HEALTH_TCP);
    struct rpctl_check *check = calloc(1, sizeof *check);
    if (!check) {
        if (request->bound_fd >= 0) close(request->bound_fd);
        return -ENOMEM;
    }
    struct rp_address target = request->target;
    use_loopback(&target);
    rpctl_process_ignore_sigpipe();
    check->kind = request->kind;
    check->timeout_ms = request->timeout_ms;
    check->callback = callback;
    check->data = data;
    check->start_ns = uv_hrtime();
    rpctl_http_answer_init(&check->answer);
    if (check->kind == RPCTL_HEALTH_HTTP) build_request(check, &target, request->path);
    init_handles(check, loop);
    int r = begin(check, &target, request->bound_fd);
    if (r < 0) fail(check, r);
    if (ret_check) *ret_check = check;
    return 0;
}
