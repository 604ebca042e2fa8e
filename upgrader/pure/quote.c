#include "pure/quote.h"
#include "pure/utf8.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Copies whole characters while they fit into `bytes`, terminator included. Returns what is left of input. */
static const char *copy_clean(char *out, size_t bytes, const char *input)
{
    size_t used = 0;
    while (*input) {
        uint32_t character;
        size_t length = rpctl_utf8_decode(input, &character);
        if (used + length >= bytes) break;
        if (rpctl_utf8_is_unsafe(character))
            memset(out + used, '?', length);
        else
            memcpy(out + used, input, length);
        used += length;
        input += length;
    }
    out[used] = '\0';
    return input;
}

struct rpctl_quote rpctl_quote(const char *input)
{
    struct rpctl_quote quote;
    char clean[RPCTL_QUOTE_BYTES - sizeof "''..." + 1];
    const char *rest = copy_clean(clean, sizeof clean, input);
    snprintf(quote.text, sizeof quote.text, "'%s%s'", clean, *rest ? "..." : "");
    return quote;
}

struct rpctl_quote_path rpctl_quote_path(const char *path)
{
    struct rpctl_quote_path quote;
    size_t room = sizeof quote.text - sizeof "...";
    size_t length = strlen(path);
    bool cut = length > room;
    char clean[sizeof quote.text - sizeof "..." + 1];
    copy_clean(clean, sizeof clean, cut ? path + length - room : path);
    snprintf(quote.text, sizeof quote.text, "%s%s", cut ? "..." : "", clean);
    return quote;
}
