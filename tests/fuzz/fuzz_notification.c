/* A notification datagram: never fails, its texts are what they are said to be, and NULs at its end say
 * nothing. */
#include "fuzz.h"
#include "pure/notification.h"
#include "pure/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void expect_texts(const struct rpctl_notification *notification)
{
    assert(memchr(notification->status, '\0', sizeof notification->status));
    assert(rpctl_utf8_is_valid(notification->status));
    assert(memchr(notification->health, '\0', sizeof notification->health));
    for (const char *c = notification->health; *c; c++) assert(*c > ' ' && *c < 0x7f);
}

static void expect_same(const struct rpctl_notification *left, const struct rpctl_notification *right)
{
    assert(left->ready == right->ready && left->stopping == right->stopping);
    assert(left->fdstore == right->fdstore && left->barrier == right->barrier);
    assert(strcmp(left->status, right->status) == 0 && strcmp(left->health, right->health) == 0);
    assert(left->has_drained == right->has_drained);
    assert(left->finished == right->finished && left->cut == right->cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpctl_notification plain, padded;
    char *copy = calloc(1, size + 2);

    assert(copy);
    if (size > 0) memcpy(copy, data, size);
    rpctl_notification_parse(&plain, (const char *)data, size);
    rpctl_notification_parse(&padded, copy, size + 2);
    expect_texts(&plain);
    expect_same(&plain, &padded);
    free(copy);
    return 0;
}
