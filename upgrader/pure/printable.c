#include "pure/printable.h"
#include "pure/utf8.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define UTF8_BYTES_MAX 4

/* rpctl_utf8_decode wants a terminator, which bytes from outside do not have. */
static size_t decode(const char *bytes, size_t length, uint32_t *ret_character)
{
    char window[UTF8_BYTES_MAX + 1] = {0};
    memcpy(window, bytes, length < UTF8_BYTES_MAX ? length : UTF8_BYTES_MAX);
    return rpctl_utf8_decode(window, ret_character);
}

size_t rpctl_printable_copy(char *text, size_t text_bytes, const char *bytes, size_t length)
{
    assert(text_bytes > 0);
    size_t used = 0;
    size_t taken;
    for (size_t i = 0; i < length; i += taken) {
        uint32_t character;
        taken = decode(bytes + i, length - i, &character);
        bool replaced = rpctl_utf8_is_unsafe(character);
        size_t written = replaced ? 1 : taken;
        if (written >= text_bytes - used) break;
        if (replaced)
            text[used] = character == '\t' ? ' ' : '?';
        else
            memcpy(text + used, bytes + i, taken);
        used += written;
    }
    text[used] = '\0';
    return used;
}

static bool is_unsafe_on_terminal(uint32_t character)
{
    return rpctl_utf8_is_unsafe(character) && character != '\n' && character != '\t';
}

static size_t escape(char *text, const char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        text[used++] = '\\';
        text[used++] = 'x';
        text[used++] = digits[byte >> 4];
        text[used++] = digits[byte & 0xf];
    }
    return used;
}

size_t rpctl_printable_escape(char *text, const char *bytes, size_t length, size_t *ret_taken)
{
    size_t used = 0, i = 0;
    while (i < length && (i == 0 || !rpctl_utf8_is_cut(bytes + i, length - i))) {
        uint32_t character;
        size_t taken = decode(bytes + i, length - i, &character);
        if (is_unsafe_on_terminal(character)) {
            used += escape(text + used, bytes + i, taken);
        } else {
            memcpy(text + used, bytes + i, taken);
            used += taken;
        }
        i += taken;
    }
    *ret_taken = i;
    return used;
}

size_t rpctl_printable_copy_ascii(char *text, size_t text_bytes, const char *bytes, size_t length)
{
    assert(text_bytes > 0);
    size_t used = length < text_bytes - 1 ? length : text_bytes - 1;
    for (size_t i = 0; i < used; i++) {
        bool shown = bytes[i] >= 0x20 && bytes[i] < 0x7f;
        text[i] = '.';
        if (shown) text[i] = bytes[i];
    }
    text[used] = '\0';
    return used;
}
