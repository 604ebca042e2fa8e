#include "pure/screen_text.h"
#include <string.h>

#define HOME        "\x1b[H"
#define ERASE_LINE  "\x1b[K"
#define ERASE_BELOW "\x1b[J"

void rpctl_screen_text_append(struct rpctl_text *out, const char *view, unsigned rows)
{
    rpctl_text_append(out, HOME);
    for (unsigned row = 1; *view && (rows == 0 || row < rows); row++) {
        size_t length = strcspn(view, "\n");
        rpctl_text_append_bytes(out, view, length);
        rpctl_text_append(out, ERASE_LINE "\n");
        view += length + (view[length] == '\n');
    }
    rpctl_text_append(out, ERASE_BELOW);
}
