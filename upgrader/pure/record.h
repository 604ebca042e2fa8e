/* A struct as a JSON object, both ways, by one list of its members.
 *
 * What is read was written by somebody: every member must be there, of the right type, and fit. Texts and
 * JSON values of a decoded record belong to the document; lists of texts are the record's, freed with
 * rpctl_record_done. Pure. */
#ifndef RPCTL_RECORD_H
#define RPCTL_RECORD_H

#include <jansson.h>
#include <rp/error.h>
#include <stddef.h>

#define RPCTL_RECORD_TEXTS_MAX 65536

enum rpctl_record_type {
    RPCTL_RECORD_INT,      /* int; never below -1 */
    RPCTL_RECORD_UNSIGNED, /* unsigned */
    RPCTL_RECORD_INT64,    /* int64_t; never below -1 */
    RPCTL_RECORD_UINT64,   /* uint64_t; below 2^63 */
    RPCTL_RECORD_ULONG,    /* unsigned long; below 2^63 */
    RPCTL_RECORD_FLAG,     /* bool */
    RPCTL_RECORD_TEXT,     /* const char *, any bytes; never NULL */
    RPCTL_RECORD_TEXTS,    /* const char *const *, NULL-terminated */
    RPCTL_RECORD_JSON,     /* json_t *, or NULL */
};

struct rpctl_record_field {
    const char *key;
    enum rpctl_record_type type;
    size_t offset;
};

struct rpctl_record {
    const struct rpctl_record_field *fields;
    size_t count;
    size_t bytes; /* of the struct */
};

#define RPCTL_RECORD_OF(fields, type)                                                                        \
    {                                                                                                        \
        (fields), sizeof(fields) / sizeof *(fields), sizeof(type)                                            \
    }

/* NULL when memory is short. The caller's reference. */
json_t *rpctl_record_encode(const struct rpctl_record *record, const void *from);
json_t *rpctl_record_encode_list(const struct rpctl_record *record, const void *from, size_t count);

/* -EPROTO names the member; -ENOMEM. `ret` is zeroes before, and to be ended with rpctl_record_done also
 * after an error. */
int rpctl_record_decode(const struct rpctl_record *record, const json_t *object, void *ret,
                        struct rp_error *error);
/* The array under `key`, of at most `max` items; the list is the caller's, freed with rpctl_record_done_list
 * also after an error. */
int rpctl_record_decode_list(const struct rpctl_record *record, const json_t *object, const char *key,
                             size_t max, void **ret_list, size_t *ret_count, struct rp_error *error);

void rpctl_record_done(const struct rpctl_record *record, void *decoded);
void rpctl_record_done_list(const struct rpctl_record *record, void *list, size_t count);

#endif
