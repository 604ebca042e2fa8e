#include "pure/wrap_text.h"
#include "pure/utf8.h"
#include <stdint.h>
#include <string.h>

#define INDENT_PHASE 12 /* below the detail, see event_text.c */
#define INDENT_LESS  2

/* Bytes of an escape sequence, which takes no column; 0 = none is here. */
static size_t invisible(const char *text)
{
    if (text[0] != '\x1b' || text[1] != '[') return 0;
    size_t length = 2 + strspn(text + 2, "0123456789;");
    return text[length] ? length + 1 : length;
}

/* How much of the line fits into the columns: up to the last blank before their end, or else all of them. */
static size_t fitting(const char *line, size_t length, size_t columns)
{
    size_t used = 0, at = 0, blank = 0;
    size_t indent = strspn(line, " ");
    while (at < length) {
        uint32_t character;
        size_t skipped = invisible(line + at);
        size_t bytes = skipped ? skipped : rpctl_utf8_decode(line + at, &character);
        size_t wide = skipped ? 0 : rpctl_utf8_columns(character);
        if (line[at] == ' ' && at > indent && line[at - 1] != ' ') blank = at;
        if (used + wide > columns && at > 0) return blank > 0 ? blank : at;
        used += wide;
        at += bytes;
    }
    return length;
}

static size_t indent_of(const char *line, size_t columns)
{
    size_t begin = 0;
    for (size_t bytes; (bytes = invisible(line + begin)) > 0;) begin += bytes;
    size_t indent = strspn(line + begin, " ");
    indent = indent == 2 ? INDENT_PHASE : indent + INDENT_LESS;
    return indent < columns / 2 ? indent : columns / 2;
}

static void append_line(struct rpctl_text *out, const char *line, size_t length, size_t columns)
{
    size_t indent = indent_of(line, columns);
    size_t fits = fitting(line, length, columns);
    rpctl_text_append_bytes(out, line, fits);
    for (;;) {
        fits += strspn(line + fits, " ");
        if (fits >= length) return;
        line += fits;
        length -= fits;
        fits = fitting(line, length, columns - indent);
        rpctl_text_append(out, "\n");
        rpctl_text_append_blanks(out, indent);
        rpctl_text_append_bytes(out, line, fits);
    }
}

void rpctl_wrap_text_append(struct rpctl_text *out, const char *text, size_t columns)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        append_line(out, text, length, columns > 0 ? columns : 1);
        text += length;
        if (*text) rpctl_text_append_bytes(out, text++, 1);
    }
}
