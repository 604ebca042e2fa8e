#include <rp/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages quote input from strangers (addresses, environment) and end in logs, so a line break or an escape
 * sequence in them must not reach the log. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

int rp_error_set(struct rp_error *error, int code, const char *format, ...)
{
    if (error == NULL) return code;
    /* Through a buffer of our own: an argument may be the old message. */
    char text[RP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    make_one_line(text);
    error->code = code;
    memcpy(error->message, text, sizeof text);
    return code;
}

int rp_error_prefix(struct rp_error *error, const char *format, ...)
{
    /* The code is not known here; anything but 0 keeps a failure a failure. */
    if (error == NULL) return -EIO;
    char prefix[RP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    char old[RP_ERROR_MESSAGE_BYTES];
    memcpy(old, error->message, sizeof old);
    old[sizeof old - 1] = '\0';
    return rp_error_set(error, error->code, "%s: %s", prefix, old);
}
