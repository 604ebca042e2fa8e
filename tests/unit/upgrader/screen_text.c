#include "pure/screen_text.h"
#include "fixture.h"

static struct rpctl_text out;

static const char *show(const char *view, unsigned rows)
{
    rpctl_text_clear(&out);
    rpctl_screen_text_append(&out, view, rows);
    return rpctl_text_string(&out);
}

Test(screen_text, writes_over_what_is_there)
{
    cr_assert_str_eq(show("", 24), "\x1b[H\x1b[J");
    cr_assert_str_eq(show("a\n\nb\n", 24), "\x1b[Ha\x1b[K\n\x1b[K\nb\x1b[K\n\x1b[J");
    cr_assert_str_eq(show("a", 24), "\x1b[Ha\x1b[K\n\x1b[J");
    rpctl_text_done(&out);
    expect_no_leak();
}

/* The last row is the cursor's. */
Test(screen_text, never_scrolls)
{
    cr_assert_str_eq(show("a\nb\nc\n", 3), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    cr_assert_str_eq(show("a\nb\n", 1), "\x1b[H\x1b[J");
    cr_assert_str_eq(show("a\nb\n", 0), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    rpctl_text_done(&out);
}
