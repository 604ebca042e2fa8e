#include "pure/utf8.h"

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0u) == 0x80u;
}

static size_t length_of_first_byte(unsigned char byte)
{
    if (byte < 0x80) return 1;
    if (byte >= 0xc2 && byte <= 0xdf) return 2;
    if (byte >= 0xe0 && byte <= 0xef) return 3;
    if (byte >= 0xf0 && byte <= 0xf4) return 4;
    return 0;
}

/* Overlong forms, surrogates and what lies above Unicode are no characters. */
static bool is_allowed(uint32_t character, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < smallest[length] || character > 0x10ffff) return false;
    return character < 0xd800 || character > 0xdfff;
}

size_t rpctl_utf8_decode(const char *text, uint32_t *ret_character)
{
    static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t length = length_of_first_byte((unsigned char)text[0]);
    *ret_character = RPCTL_UTF8_INVALID;
    if (length == 0) return 1;
    uint32_t character = (unsigned char)text[0] & first_mask[length];
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(text[i])) return 1;
        character = character << 6 | ((unsigned char)text[i] & 0x3fu);
    }
    if (!is_allowed(character, length)) return 1;
    *ret_character = character;
    return length;
}

bool rpctl_utf8_is_cut(const char *bytes, size_t length)
{
    if (length >= length_of_first_byte((unsigned char)bytes[0])) return false;
    for (size_t i = 1; i < length; i++)
        if (!is_continuation(bytes[i])) return false;
    return true;
}

bool rpctl_utf8_is_valid(const char *text)
{
    while (*text) {
        uint32_t character;
        text += rpctl_utf8_decode(text, &character);
        if (character == RPCTL_UTF8_INVALID) return false;
    }
    return true;
}

bool rpctl_utf8_is_unsafe(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == RPCTL_UTF8_INVALID;
}

unsigned rpctl_utf8_columns(uint32_t character)
{
    if (character < 0x1100) return 1;
    bool narrow = (character > 0x115f && character < 0x231a) || (character > 0x23ff && character < 0x25fd) ||
                  (character > 0xa4cf && character < 0xa960);
    return narrow ? 1 : 2;
}
