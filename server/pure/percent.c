#include "pure/percent.h"

#include <errno.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int rp_percent_next(const char **text, const char *end)
{
    char c = *(*text)++;
    if (c != '%') return (unsigned char)c;
    if (end - *text < 2) return -EINVAL;
    int high = hex_digit((*text)[0]);
    int low = hex_digit((*text)[1]);
    if (high < 0 || low < 0 || (high | low) == 0) return -EINVAL;
    *text += 2;
    return high << 4 | low;
}

int rp_percent_decode(const char *text, size_t length, bool plus, char *value, size_t size)
{
    const char *end = text + length;
    size_t used = 0;
    while (text < end) {
        bool blank = plus && *text == '+';
        int byte = rp_percent_next(&text, end);
        if (blank) byte = ' ';
        if (byte < 0) return byte;
        if (used + 1 >= size) return -ENOBUFS;
        value[used++] = (char)byte;
    }
    if (used >= size) return -ENOBUFS;
    value[used] = '\0';
    return 0;
}
