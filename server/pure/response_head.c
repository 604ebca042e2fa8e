#include "pure/response_head.h"

#include "pure/http_adapter.h"

#include <rp/response.h>
#include <string.h>

struct writer {
    char *at;
    size_t left;
    bool overflow;
};

static inline void put(struct writer *writer, const char *bytes, size_t length)
{
    if (length > writer->left) {
        writer->overflow = true;
        return;
    }
    if (length > 0) memcpy(writer->at, bytes, length);
    writer->at += length;
    writer->left -= length;
}

static inline void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static inline void put_line(struct writer *writer, const char *name, const char *value)
{
    put_text(writer, name);
    put_text(writer, value);
    put_text(writer, "\r\n");
}

static bool status_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

struct rp_response_plan rp_response_plan(const struct rp_response_facts *facts)
{
    struct rp_response_plan plan = {.close = !facts->keep_alive};
    if (!status_has_body(facts->status)) {
        plan.framing = RP_FRAMING_NONE;
        return plan;
    }
    plan.body = !facts->to_head;
    if (facts->length != RP_LENGTH_UNKNOWN) {
        plan.framing = RP_FRAMING_LENGTH;
    } else if (facts->minor > 0) {
        plan.framing = RP_FRAMING_CHUNKED;
    } else {
        plan.framing = RP_FRAMING_CLOSE;
        plan.close = true;
    }
    return plan;
}

/* As snprintf does it, which took a seventh of all instructions of a request. */
static void put_number(struct writer *writer, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(writer, digits + first, sizeof digits - first);
}

static void put_status_line(struct writer *writer, unsigned status)
{
    put_text(writer, "HTTP/1.1 ");
    put_number(writer, status);
    put_line(writer, " ", rp_http_status_text(status));
}

static void put_framing(struct writer *writer, const struct rp_response_head *head)
{
    if (head->plan.framing == RP_FRAMING_LENGTH) {
        put_text(writer, "Content-Length: ");
        put_number(writer, head->facts.length);
        put_text(writer, "\r\n");
    } else if (head->plan.framing == RP_FRAMING_CHUNKED) {
        put_line(writer, "Transfer-Encoding: ", "chunked");
    }
}

static void put_connection(struct writer *writer, const struct rp_response_head *head)
{
    if (head->plan.close)
        put_line(writer, "Connection: ", "close");
    else if (head->facts.minor == 0)
        put_line(writer, "Connection: ", "keep-alive");
}

size_t rp_response_head_format(const struct rp_response_head *head, char *out, size_t size)
{
    struct writer writer = {.at = out, .left = size};
    put_status_line(&writer, head->facts.status);
    put_line(&writer, "Date: ", head->date);
    put_framing(&writer, head);
    if (head->content_type) put_line(&writer, "Content-Type: ", head->content_type);
    put_connection(&writer, head);
    put(&writer, head->common_headers, head->common_bytes);
    put(&writer, head->own_headers, head->own_bytes);
    put_text(&writer, "\r\n");
    return writer.overflow ? 0 : (size_t)(writer.at - out);
}

size_t rp_chunk_prefix_format(size_t length, char out[RP_CHUNK_PREFIX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1;
    while (count < 2 * sizeof(length) && length >> 4 * count) count++;
    for (size_t i = 0; i < count; i++) out[i] = digits[length >> 4 * (count - 1 - i) & 15];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}
