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
