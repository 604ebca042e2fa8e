#include "pure/target.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static size_t scheme_length(const char *text, size_t length)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t scheme = strlen(schemes[i]);
        if (length > scheme && strncasecmp(text, schemes[i], scheme) == 0) return scheme;
    }
    return 0;
}

bool rp_target_split(struct rp_target *ret_target, const char *text, size_t length)
{
    const char *end = text + length;
    size_t scheme = scheme_length(text, length);
    const char *path = text + scheme;
    while (scheme > 0 && path < end && *path != '/' && *path != '?') path++;
    bool asterisk = length == 1 && text[0] == '*';
    if (scheme == 0 && !asterisk && (length == 0 || text[0] != '/')) return false;
    const char *mark = memchr(path, '?', (size_t)(end - path));
    const char *path_end = mark ? mark : end;
    *ret_target = (struct rp_target){.path = path, .path_length = (size_t)(path_end - path)};
    if (path_end == path) {
        ret_target->path = "/";
        ret_target->path_length = 1;
    }
    ret_target->query = mark ? mark + 1 : end;
    ret_target->query_length = (size_t)(end - ret_target->query);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One decoded byte at *text, which moves on; or -EINVAL. */
static int decode_byte(const char **text, const char *end)
{
    char c = *(*text)++;
    if (c == '+') return ' ';
    if (c != '%') return (unsigned char)c;
    if (end - *text < 2) return -EINVAL;
    int high = hex_digit((*text)[0]);
    int low = hex_digit((*text)[1]);
    if (high < 0 || low < 0 || (high | low) == 0) return -EINVAL;
    *text += 2;
    return high << 4 | low;
}

static int decode(const char *text, const char *end, char *value, size_t size)
{
    size_t used = 0;
    while (text < end) {
        int byte = decode_byte(&text, end);
        if (byte < 0) return byte;
        if (used + 1 >= size) return -ENOBUFS;
        value[used++] = (char)byte;
    }
    if (used >= size) return -ENOBUFS;
    value[used] = '\0';
    return 0;
}

int rp_query_value(const char *query, const char *name, char *value, size_t size)
{
    size_t name_length = strlen(name);
    for (;;) {
        const char *end = query + strcspn(query, "&");
        const char *equals = memchr(query, '=', (size_t)(end - query));
        const char *name_end = equals ? equals : end;
        if ((size_t)(name_end - query) == name_length && memcmp(query, name, name_length) == 0)
            return decode(equals ? equals + 1 : end, end, value, size);
        if (*end == '\0') return -ENOENT;
        query = end + 1;
    }
}
