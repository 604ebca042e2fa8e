#include "pure/notification.h"
#include "pure/printable.h"
#include <limits.h>
#include <string.h>

/* A stretch of the datagram; not terminated. */
struct text {
    const char *bytes;
    size_t length;
};

static bool text_is(struct text text, const char *other)
{
    return text.length == strlen(other) && memcmp(text.bytes, other, text.length) == 0;
}

static bool parse_number(unsigned long *ret_number, struct text text)
{
    if (text.length == 0) return false;
    unsigned long number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return false;
        unsigned long digit = (unsigned long)(text.bytes[i] - '0');
        if (number > (ULONG_MAX - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

static void set_flag(bool *flag, struct text value)
{
    if (text_is(value, "1")) *flag = true;
}

static void set_count(struct rpctl_notification *notification, unsigned long *count, struct text value)
{
    if (parse_number(count, value)) notification->has_drained = true;
}

/* The path of a health text is sent in a request line: a blank or a line end in it would be a request of the
 * sender's own making. */
static void set_health(struct rpctl_notification *notification, struct text value)
{
    if (value.length >= sizeof notification->health) return;
    for (size_t i = 0; i < value.length; i++)
        if (value.bytes[i] <= 0x20 || value.bytes[i] >= 0x7f) return;
    memcpy(notification->health, value.bytes, value.length);
    notification->health[value.length] = '\0';
}

static void set_member(struct rpctl_notification *notification, struct text key, struct text value)
{
    if (text_is(key, "READY"))
        set_flag(&notification->ready, value);
    else if (text_is(key, "STOPPING"))
        set_flag(&notification->stopping, value);
    else if (text_is(key, "FDSTORE"))
        set_flag(&notification->fdstore, value);
    else if (text_is(key, "BARRIER"))
        set_flag(&notification->barrier, value);
    else if (text_is(key, "X_RP_FINISHED"))
        set_count(notification, &notification->finished, value);
    else if (text_is(key, "X_RP_CUT"))
        set_count(notification, &notification->cut, value);
    else if (text_is(key, "X_RP_HEALTH"))
        set_health(notification, value);
    else if (text_is(key, "STATUS"))
        rpctl_printable_copy(notification->status, sizeof notification->status, value.bytes, value.length);
}

static void parse_line(struct rpctl_notification *notification, struct text line)
{
    if (memchr(line.bytes, '\0', line.length)) return;
    const char *equals = memchr(line.bytes, '=', line.length);
    if (!equals) return;
    struct text key = {line.bytes, (size_t)(equals - line.bytes)};
    struct text value = {equals + 1, line.length - key.length - 1};
    set_member(notification, key, value);
}

void rpctl_notification_parse(struct rpctl_notification *ret_notification, const char *bytes, size_t length)
{
    *ret_notification = (struct rpctl_notification){0};
    while (length > 0 && bytes[length - 1] == '\0') length--;
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t line_length = end ? (size_t)(end - bytes) : length;
        parse_line(ret_notification, (struct text){bytes, line_length});
        size_t taken = end ? line_length + 1 : line_length;
        bytes += taken;
        length -= taken;
    }
}
