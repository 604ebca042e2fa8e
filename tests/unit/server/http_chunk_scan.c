#include "pure/http_chunk_scan.h"

#include <criterion/criterion.h>
#include <string.h>

static enum rp_chunk_scan_result scan_text(const char *text)
{
    struct rp_chunk_scan scan = {0};
    enum rp_chunk_scan_result result = RP_CHUNK_SCAN_OK;
    for (const char *c = text; *c && result == RP_CHUNK_SCAN_OK; c++)
        result = rp_chunk_scan(&scan, c, 1, 40, 40);
    struct rp_chunk_scan whole = {0};
    cr_assert_eq(rp_chunk_scan(&whole, text, strlen(text), 40, 40), result, "%s", text);
    return result;
}

static void all_are(enum rp_chunk_scan_result expected, const char *const texts[])
{
    for (size_t i = 0; texts[i]; i++) cr_assert_eq(scan_text(texts[i]), expected, "%s", texts[i]);
}

Test(http_chunk_scan, well_formed)
{
    static const char *const texts[] = {
        "0\r\n\r\n",
        "00\r\nA:\r\nHosts: b\tc\x80\r\nContent-Lengt: 1\r\n\r\n",
        "fFfFfFf0;a\r\n",
        "1;a;b=c;d=\"e\"\r\n",
        "1 ;\ta = b\r\n",
        "1;a=\" \\\" \\; \" ;b\r\n",
        NULL,
    };
    all_are(RP_CHUNK_SCAN_OK, texts);
}

Test(http_chunk_scan, bad_sizes)
{
    static const char *const texts[] = {
        "\r",
        "g",
        "0x1",
        "-1",
        "+1",
        " 1",
        ";a",
        "1x",
        "1,",
        "1\n",
        "1\rx",
        "1\"",
        "{",
        "/",
        ":",
        "\"1\"",
        "12345678901234567",
        NULL,
    };
    all_are(RP_CHUNK_SCAN_BAD_SIZE, texts);
}

Test(http_chunk_scan, bad_extensions)
{
    static const char *const texts[] = {
        "1 \r",    "1 1",     "1;\r",       "1;;",      "1;=",   "1;a=\r", "1;a=;",      "1;a \r", "1;a b",
        "1;a=b c", "1;a=b\"", "1;a=\"b\"c", "1;a=\"\r", "1;a\n", "1;\x01", "1;a=\"\\\n", "1;a=b=", NULL,
    };
    all_are(RP_CHUNK_SCAN_BAD_EXTENSION, texts);
}

Test(http_chunk_scan, bad_trailers)
{
    static const char *const texts[] = {
        "0\r\n A: b", "0\r\n:",     "0\r\nA b",     "0\r\nA : b", "0\r\nA\r",   "0\r\n\n",
        "0\r\nA:b\n", "0\r\nA:\rb", "0\r\nA: \x7f", "0\r\n\r\r",  "0\r\n\r\nx", NULL,
    };
    all_are(RP_CHUNK_SCAN_BAD_TRAILER, texts);
    static const char *const framing[] = {
        "0\r\nContent-Length:",
        "0\r\nTRANSFER-ENCODING:",
        "0\r\nA: b\r\nhost:",
        NULL,
    };
    all_are(RP_CHUNK_SCAN_FRAMING_FIELD, framing);
}

Test(http_chunk_scan, end_of_data)
{
    struct rp_chunk_scan scan = {0};
    cr_assert_eq(rp_chunk_scan(&scan, "5\r\n", 3, 0, 0), RP_CHUNK_SCAN_OK);
    rp_chunk_scan_data(&scan);
    cr_assert_eq(rp_chunk_scan(&scan, "\r\n0\r\n\r", 6, 0, 1), RP_CHUNK_SCAN_OK);
    rp_chunk_scan_data(&scan);
    cr_assert_eq(rp_chunk_scan(&scan, "0", 1, 0, 0), RP_CHUNK_SCAN_BAD_END);
    rp_chunk_scan_data(&scan);
    cr_assert_eq(rp_chunk_scan(&scan, "\r\r", 2, 0, 0), RP_CHUNK_SCAN_BAD_END);
}

Test(http_chunk_scan, limits_are_exact)
{
    struct rp_chunk_scan scan = {0};
    cr_assert_eq(rp_chunk_scan(&scan, "1;ab\r\n", 6, 3, 0), RP_CHUNK_SCAN_OK);
    cr_assert_eq(scan.extension_bytes, 3u);
    scan = (struct rp_chunk_scan){0};
    cr_assert_eq(rp_chunk_scan(&scan, "1;ab\r\n", 6, 2, 0), RP_CHUNK_SCAN_TOO_LONG);
    scan = (struct rp_chunk_scan){0};
    cr_assert_eq(rp_chunk_scan(&scan, "0\r\nA:b\r\n\r", 9, 0, 5), RP_CHUNK_SCAN_OK);
    cr_assert_eq(scan.trailer_bytes, 5u);
    scan = (struct rp_chunk_scan){0};
    cr_assert_eq(rp_chunk_scan(&scan, "0\r\nA:b\r\n\r", 9, 0, 4), RP_CHUNK_SCAN_TOO_LONG);
}
