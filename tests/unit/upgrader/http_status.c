#include "pure/http_status.h"
#include <criterion/criterion.h>
#include <string.h>

static struct rpctl_http_status status;

static int parse(const char *text)
{
    memset(&status, 0xa5, sizeof status);
    rpctl_http_status_parse(&status, text, strlen(text));
    return status.kind;
}

static void expect_code(const char *text, int code, size_t line_bytes)
{
    cr_assert_eq(parse(text), RPCTL_HTTP_STATUS_CODE, "%s", text);
    cr_assert_eq(status.code, code);
    cr_assert_eq(status.line_bytes, line_bytes);
}

Test(http_status, whole_lines)
{
    expect_code("HTTP/1.1 200 OK\r\n", 200, 17);
    expect_code("HTTP/1.0 503 Service Unavailable\r\nX: y\r\n", 503, 34);
    expect_code("HTTP/1.1 404\r\n", 404, 14);
    expect_code("HTTP/1.1 404 \n", 404, 14);
    expect_code("HTTP/1.1 100\n", 100, 13);
    expect_code("HTTP/1.9 599 x\n\n", 599, 15);
}

Test(http_status, excerpt_is_the_first_line)
{
    parse("HTTP/1.1 200 OK\r\nServer: x\r\n");
    cr_assert_str_eq(status.excerpt, "HTTP/1.1 200 OK");
    parse("SSH-2.0-OpenSSH\x01\r\nmore");
    cr_assert_str_eq(status.excerpt, "SSH-2.0-OpenSSH.");
    parse("\r\n");
    cr_assert_str_eq(status.excerpt, "");
}

Test(http_status, every_split_needs_more)
{
    static const char line[] = "HTTP/1.1 200 OK\r\n";
    for (size_t length = 0; length < sizeof line - 1; length++) {
        rpctl_http_status_parse(&status, line, length);
        cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_MORE, "%zu", length);
    }
    rpctl_http_status_parse(&status, NULL, 0);
    cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_MORE);
}

Test(http_status, garbage_is_seen_at_its_first_byte)
{
    static const char line[] = "HTTP/1.1 200 ";
    for (size_t i = 0; i < sizeof line - 1; i++) {
        char text[sizeof line];
        memcpy(text, line, sizeof text);
        text[i] = '#';
        rpctl_http_status_parse(&status, text, i + 1);
        cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_GARBAGE, "%zu", i);
        cr_assert_eq(status.excerpt[i], '#');
    }
}

Test(http_status, kinds_of_garbage)
{
    static const char *const texts[] = {"HTTP/2 200\r\n",
                                        "HTTP/1.1 099\r\n",
                                        "HTTP/1.1 600\r\n",
                                        "HTTP/1.1 2000\r\n",
                                        "HTTP/1.1  200\r\n",
                                        "http/1.1 200\r\n",
                                        "\n",
                                        "\x16\x03\x01",
                                        "HTTP/1.1 20\r\n",
                                        "HTTP/1.1 200\rX\n",
                                        "<html>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert_eq(parse(texts[i]), RPCTL_HTTP_STATUS_GARBAGE, "%s", texts[i]);
}

Test(http_status, line_is_bounded)
{
    char text[RPCTL_HTTP_STATUS_LINE_MAX + 2] = "HTTP/1.1 200 ";
    memset(text + 13, 'x', sizeof text - 13);
    rpctl_http_status_parse(&status, text, RPCTL_HTTP_STATUS_LINE_MAX);
    cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_MORE);
    cr_assert_eq(strlen(status.excerpt), RPCTL_HTTP_STATUS_EXCERPT_BYTES - 1);
    rpctl_http_status_parse(&status, text, RPCTL_HTTP_STATUS_LINE_MAX + 1);
    cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_GARBAGE);
    text[RPCTL_HTTP_STATUS_LINE_MAX] = '\n';
    rpctl_http_status_parse(&status, text, sizeof text);
    cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_GARBAGE);
    text[RPCTL_HTTP_STATUS_LINE_MAX - 1] = '\n';
    rpctl_http_status_parse(&status, text, sizeof text);
    cr_assert_eq(status.kind, RPCTL_HTTP_STATUS_CODE);
}
