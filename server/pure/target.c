#include "pure/target.h"

#include "pure/percent.h"

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
    ret_target->absolute = scheme > 0;
    ret_target->secure = scheme == strlen("https://");
    ret_target->authority = text + scheme;
    ret_target->authority_length = (size_t)(path - ret_target->authority);
    ret_target->query = mark ? mark + 1 : end;
    ret_target->query_length = (size_t)(end - ret_target->query);
    return true;
}

const char *rp_query_find(const char *query, const char *name, size_t *ret_length)
{
    size_t name_length = strlen(name);
    for (;;) {
        const char *end = query + strcspn(query, "&");
        const char *equals = memchr(query, '=', (size_t)(end - query));
        const char *name_end = equals ? equals : end;
        if ((size_t)(name_end - query) == name_length && memcmp(query, name, name_length) == 0) {
            const char *value = equals ? equals + 1 : end;
            *ret_length = (size_t)(end - value);
            return value;
        }
        if (*end == '\0') return NULL;
        query = end + 1;
    }
}

int rp_query_value(const char *query, const char *name, char *value, size_t size)
{
    size_t length;
    const char *text = rp_query_find(query, name, &length);
    return text ? rp_percent_decode(text, length, true, value, size) : -ENOENT;
}
