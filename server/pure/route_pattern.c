#include "pure/route_pattern.h"

#include "pure/percent.h"

#include <errno.h>
#include <string.h>

#define TAIL_MARK "..."

static bool ends_with_tail_mark(const char *text, size_t length)
{
    size_t mark = strlen(TAIL_MARK);
    return length >= mark && memcmp(text + length - mark, TAIL_MARK, mark) == 0;
}

bool rp_route_pattern_next(const char **pattern, struct rp_segment *ret_segment)
{
    const char *text = *pattern;
    if (*text != '/') return false;
    text++;
    size_t length = strcspn(text, "/");
    *pattern = text + length;
    *ret_segment = (struct rp_segment){.kind = RP_SEGMENT_LITERAL, .text = text, .length = length};
    if (length < 2 || text[0] != '{' || text[length - 1] != '}') return true;
    bool tail = ends_with_tail_mark(text + 1, length - 2);
    ret_segment->kind = tail ? RP_SEGMENT_TAIL : RP_SEGMENT_PARAMETER;
    ret_segment->text = text + 1;
    ret_segment->length = length - 2 - (tail ? strlen(TAIL_MARK) : 0);
    return true;
}

bool rp_path_next(const char **path, const char *end, const char **ret_text, size_t *ret_length)
{
    const char *text = *path;
    if (text == end || *text != '/') return false;
    text++;
    const char *slash = memchr(text, '/', (size_t)(end - text));
    *path = slash ? slash : end;
    *ret_text = text;
    *ret_length = (size_t)(*path - text);
    return true;
}

static bool is_named(const struct rp_segment *segment, const char *name, size_t length)
{
    return segment->kind != RP_SEGMENT_LITERAL && segment->length == length &&
           memcmp(segment->text, name, length) == 0;
}

const char *rp_route_pattern_value(const char *pattern, const char *path, size_t path_length,
                                   const char *name, size_t *ret_length)
{
    const char *end = path + path_length;
    const char *text;
    size_t length;
    struct rp_segment segment;
    while (rp_route_pattern_next(&pattern, &segment) && rp_path_next(&path, end, &text, &length)) {
        if (!is_named(&segment, name, strlen(name))) continue;
        *ret_length = segment.kind == RP_SEGMENT_TAIL ? (size_t)(end - text) : length;
        return text;
    }
    return NULL;
}

/* ---- what is a good one ---- */

static const char *name_problem(const struct rp_segment *segment)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t good = strspn(segment->text, letters);
    return segment->length > 0 && good >= segment->length
               ? NULL
               : "the name of a parameter is of letters, digits, '_' and '-'";
}

static const char *literal_problem(const struct rp_segment *segment)
{
    const char *text = segment->text, *end = text + segment->length;
    if (memchr(text, '{', segment->length) || memchr(text, '}', segment->length))
        return "a parameter is a whole segment: \"/{name}\", or \"/{name...}\" at the end";
    while (text < end) {
        if (rp_percent_next(&text, end) < 0) return "'%' needs two hex digits behind it, and not 00";
    }
    return NULL;
}

static bool named_before(const char *pattern, const struct rp_segment *wanted)
{
    struct rp_segment segment;
    while (rp_route_pattern_next(&pattern, &segment) && segment.text < wanted->text) {
        if (is_named(&segment, wanted->text, wanted->length)) return true;
    }
    return false;
}

static const char *segment_problem(const char *pattern, const struct rp_segment *segment, bool last)
{
    if (segment->kind == RP_SEGMENT_LITERAL) return literal_problem(segment);
    if (segment->kind == RP_SEGMENT_TAIL && !last) return "\"{name...}\" stands at the end";
    if (named_before(pattern, segment)) return "two parameters have one name";
    return name_problem(segment);
}

int rp_route_pattern_check(const char *pattern, struct rp_error *error)
{
    const char *problem = NULL, *rest = pattern;
    struct rp_segment segment;
    if (pattern[0] != '/' || strpbrk(pattern, "?# \t\r\n"))
        problem = "a path begins with '/' and has no '?', '#' or blank";
    while (!problem && rp_route_pattern_next(&rest, &segment))
        problem = segment_problem(pattern, &segment, *rest == '\0');
    return problem ? rp_error_set(error, -EINVAL, "route \"%s\": %s", pattern, problem) : 0;
}
