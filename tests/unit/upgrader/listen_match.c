#include "pure/listen_match.h"

#include <criterion/criterion.h>

static size_t parse(struct rp_address *addresses, const char *text)
{
    size_t count;
    cr_assert_eq(rp_address_parse_list(addresses, RP_ADDRESS_LIST_MAX, &count, text, NULL), 0);
    return count;
}

/* The results as texts; "-" for none. */
static void expect(const char *old_text, const char *new_text, const char *missing, const char *shadowed,
                   const char *by)
{
    struct rp_address old[RP_ADDRESS_LIST_MAX], new[RP_ADDRESS_LIST_MAX];
    size_t old_count = parse(old, old_text), new_count = parse(new, new_text);
    struct rpctl_listen_match match;
    const struct rp_address *found[3];
    const char *wanted[] = {missing, shadowed, by};

    rpctl_listen_match(old, old_count, new, new_count, &match);
    found[0] = match.missing;
    found[1] = match.shadowed;
    found[2] = match.by;
    for (int i = 0; i < 3; i++) {
        char text[RP_ADDRESS_TEXT_BYTES] = "-";
        if (found[i]) rp_address_format(found[i], text);
        cr_assert_str_eq(text, wanted[i], "%s -> %s", old_text, new_text);
    }
    for (size_t i = 0; i < new_count; i++)
        if (match.by == &new[i]) cr_assert(rpctl_listen_shadows(old, old_count, &new[i]));
}

Test(listen_match, the_same)
{
    expect("127.0.0.1:80", "127.0.0.1:80", "-", "-", "-");
    expect("127.0.0.1:80 [::1]:80", "[::1]:80 127.0.0.1:80 127.0.0.1:81", "-", "-", "-");
}

Test(listen_match, nothing_old) /* a first start */
{
    expect("", "127.0.0.1:80", "-", "-", "-");
}

Test(listen_match, missing)
{
    expect("127.0.0.1:80", "", "127.0.0.1:80", "-", "-");
    expect("127.0.0.1:80 127.0.0.1:81", "127.0.0.1:80", "127.0.0.1:81", "-", "-");
}

Test(listen_match, shadowed)
{
    expect("0.0.0.0:80", "127.0.0.1:80", "0.0.0.0:80", "0.0.0.0:80", "127.0.0.1:80");
    expect("0.0.0.0:80", "0.0.0.0:80 127.0.0.1:80", "-", "0.0.0.0:80", "127.0.0.1:80");
    expect("[::]:80", "0.0.0.0:80", "[::]:80", "[::]:80", "0.0.0.0:80");
}

/* Old has both: the steering of 127.0.0.1's own group holds. */
Test(listen_match, an_address_of_old_shadows_nothing)
{
    expect("0.0.0.0:80 127.0.0.1:80", "0.0.0.0:80 127.0.0.1:80", "-", "-", "-");
    expect("0.0.0.0:80", "127.0.0.1:81", "0.0.0.0:80", "-", "-");
}
