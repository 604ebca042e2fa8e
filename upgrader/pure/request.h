/* One request of the control protocol (rpctl-protocol(7)), for the client that writes it and the supervisor
 * that reads it. Pure. */
#ifndef RPCTL_REQUEST_H
#define RPCTL_REQUEST_H

#include <jansson.h>
#include <rp/error.h>
#include <stddef.h>

#define RPCTL_PROTOCOL_VERSION  1
#define RPCTL_SCHEMA            1            /* of the events: a number in each */
#define RPCTL_REQUEST_BYTES_MAX (256 * 1024) /* the line, without its newline */

enum rpctl_request_command {
    RPCTL_REQUEST_STATUS,
    RPCTL_REQUEST_WATCH,
    RPCTL_REQUEST_UPGRADE,
    RPCTL_REQUEST_RESTART,
    RPCTL_REQUEST_FOLLOW,
    RPCTL_REQUEST_ABORT,
    RPCTL_REQUEST_STOP,
    RPCTL_REQUEST_REEXEC,
    RPCTL_REQUEST_COMMAND_COUNT
};

struct rpctl_request {
    enum rpctl_request_command command;
    const char *binary;      /* of upgrade: an absolute path; else NULL */
    const char *const *args; /* of upgrade: NULL-terminated, without argv[0]; NULL = as the service has */
    const char *const *env;  /* of upgrade: NULL-terminated "K=V"; NULL = none */
    json_t *policy;          /* of upgrade and restart: settings (policy_settings.h); NULL = none */
    json_t *document;        /* of a decoded request: holds the texts above; else NULL */
};

/* "upgrade" and so on. */
const char *rpctl_request_command_name(enum rpctl_request_command command);

/* Writes the line, with its newline. -EINVAL when a text is not UTF-8, which JSON cannot carry, -E2BIG when
 * the line is too long, -ENOMEM. The caller frees *ret_line. */
int rpctl_request_encode(const struct rpctl_request *request, char **ret_line, size_t *ret_length,
                         struct rp_error *error);

/* Reads a line (without its newline) and checks everything that can be checked here: version, command,
 * members that the command does not know, types, the form of env, keys and values of the policy, an absolute
 * `binary`. -EINVAL or -ENOMEM; then *ret_request is untouched. On success the caller ends it with
 * rpctl_request_done. */
int rpctl_request_decode(struct rpctl_request *ret_request, const char *line, size_t length,
                         struct rp_error *error);
void rpctl_request_done(struct rpctl_request *request);

#endif
