/* One error object with text, for every part of librp that can fail for a reason a person has to act on.
 *
 * Functions return 0 or a negative errno and fill *error when they fail. The message is one line: what was
 * tried, on which thing, why it failed, what to do. `error` may always be NULL. On success it is untouched.
 * Owns nothing; any thread may use these on an error of its own. */
#ifndef RP_ERROR_H
#define RP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define RP_ERROR_MESSAGE_BYTES 256

struct rp_error {
    int code; /* negative errno, as returned */
    char message[RP_ERROR_MESSAGE_BYTES];
};

/* Sets code and message (cut off when longer; control characters become '?'); returns `code`, so that
 * `return rp_error_set(…)` works. The arguments may point into error->message. */
int rp_error_set(struct rp_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts a prefix ("prefix: message") before the message that is there; returns the code that is there. With
 * `error` NULL the code is not known here and -EIO is returned: who passes the caller's pointer on returns
 * the code it got, not this one. */
int rp_error_prefix(struct rp_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
