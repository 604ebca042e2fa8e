#include "pure/text.h"
#include "pure/utf8.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256
#define ELLIPSIS       "..."

void rpctl_text_done(struct rpctl_text *text)
{
    free(text->bytes);
    *text = (struct rpctl_text){0};
}

void rpctl_text_clear(struct rpctl_text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->bytes) text->bytes[0] = '\0';
}

const char *rpctl_text_string(const struct rpctl_text *text)
{
    return text->bytes ? text->bytes : "";
}

/* Makes room for `more` bytes and the terminator. */
static bool reserve(struct rpctl_text *text, size_t more)
{
    if (text->failed || more >= SIZE_MAX / 2 - text->length) return false;
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : FIRST_CAPACITY;
    while (capacity < needed) capacity *= 2;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void rpctl_text_append_bytes(struct rpctl_text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length)) return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void rpctl_text_append(struct rpctl_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void rpctl_text_append_blanks(struct rpctl_text *text, size_t count)
{
    for (size_t i = 0; i < count; i++) rpctl_text_append_bytes(text, " ", 1);
}

static void append_character(struct rpctl_text *text, const char *bytes, size_t length, uint32_t character)
{
    if (character == '\t')
        rpctl_text_append_bytes(text, " ", 1);
    else if (rpctl_utf8_is_unsafe(character))
        rpctl_text_append_bytes(text, "?", 1);
    else
        rpctl_text_append_bytes(text, bytes, length);
}

static unsigned columns_of(uint32_t character)
{
    return rpctl_utf8_is_unsafe(character) ? 1 : rpctl_utf8_columns(character);
}

size_t rpctl_text_columns(const char *untrusted)
{
    size_t columns = 0;
    while (*untrusted) {
        uint32_t character;
        untrusted += rpctl_utf8_decode(untrusted, &character);
        columns += columns_of(character);
    }
    return columns;
}

size_t rpctl_text_append_clean(struct rpctl_text *text, const char *untrusted, size_t max_columns)
{
    bool whole = max_columns == RPCTL_TEXT_NO_LIMIT || rpctl_text_columns(untrusted) <= max_columns;
    size_t dots = whole ? 0 : max_columns < strlen(ELLIPSIS) ? max_columns : strlen(ELLIPSIS);
    size_t used = 0;
    while (*untrusted) {
        uint32_t character;
        size_t length = rpctl_utf8_decode(untrusted, &character);
        if (!whole && used + columns_of(character) > max_columns - dots) break;
        append_character(text, untrusted, length, character);
        used += columns_of(character);
        untrusted += length;
    }
    rpctl_text_append_bytes(text, ELLIPSIS, dots);
    return used + dots;
}
