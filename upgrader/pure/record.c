#include "pure/record.h"

#include "pure/state_bytes.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const void *at(const void *from, const struct rpctl_record_field *field)
{
    return (const char *)from + field->offset;
}

/* --- encode: whatever fails, fails for want of memory --------------------------------------------------- */

static json_t *encode_json(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

static json_t *encode_field(const struct rpctl_record_field *field, const void *from)
{
    const void *value = at(from, field);

    switch (field->type) {
    case RPCTL_RECORD_INT: return json_integer(*(const int *)value);
    case RPCTL_RECORD_UNSIGNED: return json_integer(*(const unsigned *)value);
    case RPCTL_RECORD_INT64: return json_integer(*(const int64_t *)value);
    case RPCTL_RECORD_UINT64: return json_integer((json_int_t) * (const uint64_t *)value);
    case RPCTL_RECORD_ULONG: return json_integer((json_int_t) * (const unsigned long *)value);
    case RPCTL_RECORD_FLAG: return json_boolean(*(const bool *)value);
    case RPCTL_RECORD_TEXT: return rpctl_state_bytes_encode(*(const char *const *)value);
    case RPCTL_RECORD_TEXTS: return rpctl_state_bytes_encode_texts(*(const char *const *const *)value);
    case RPCTL_RECORD_JSON: return encode_json(*(json_t *const *)value);
    }
    assert(false && "a type that has no form");
    return NULL;
}

json_t *rpctl_record_encode(const struct rpctl_record *record, const void *from)
{
    json_t *object = json_object();

    for (size_t i = 0; i < record->count; i++) {
        const struct rpctl_record_field *field = &record->fields[i];

        if (json_object_set_new(object, field->key, encode_field(field, from)) == 0) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *rpctl_record_encode_list(const struct rpctl_record *record, const void *from, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        const void *item = (const char *)from + i * record->bytes;

        if (json_array_append_new(array, rpctl_record_encode(record, item)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

/* --- decode --------------------------------------------------------------------------------------------- */

static int bad(const char *key, struct rp_error *error)
{
    return rp_error_set(error, -EPROTO, "its member \"%s\" is missing or makes no sense", key);
}

static int no_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "no memory to read it");
}

static bool take_number(const json_t *value, json_int_t min, json_int_t max, json_int_t *ret_number)
{
    *ret_number = json_integer_value(value);
    return json_is_integer(value) && *ret_number >= min && *ret_number <= max;
}

static int take_texts(const json_t *array, const char *key, const char *const **ret_texts,
                      struct rp_error *error)
{
    size_t count = json_array_size(array);
    const char **texts;

    if (!json_is_array(array) || count > RPCTL_RECORD_TEXTS_MAX) return bad(key, error);
    texts = calloc(count + 1, sizeof *texts);
    if (!texts) return no_memory(error);
    *ret_texts = texts;
    for (size_t i = 0; i < count; i++) {
        texts[i] = rpctl_state_bytes_decode(json_array_get(array, i));
        if (!texts[i]) return bad(key, error);
    }
    return 0;
}

static bool take_text(json_t *value, const char **ret_text)
{
    *ret_text = rpctl_state_bytes_decode(value);
    return *ret_text != NULL;
}

/* Numbers and flags. */
static bool take_plain(const struct rpctl_record_field *field, const json_t *value, void *ret)
{
    json_int_t number = 0;
    bool good;

    switch (field->type) {
    case RPCTL_RECORD_INT:
        good = take_number(value, -1, INT_MAX, &number);
        *(int *)ret = (int)number;
        return good;
    case RPCTL_RECORD_UNSIGNED:
        good = take_number(value, 0, UINT_MAX, &number);
        *(unsigned *)ret = (unsigned)number;
        return good;
    case RPCTL_RECORD_INT64:
        good = take_number(value, -1, INT64_MAX, &number);
        *(int64_t *)ret = number;
        return good;
    case RPCTL_RECORD_UINT64:
        good = take_number(value, 0, INT64_MAX, &number);
        *(uint64_t *)ret = (uint64_t)number;
        return good;
    case RPCTL_RECORD_ULONG:
        good = take_number(value, 0, LONG_MAX, &number);
        *(unsigned long *)ret = (unsigned long)number;
        return good;
    case RPCTL_RECORD_FLAG: *(bool *)ret = json_is_true(value); return json_is_boolean(value);
    case RPCTL_RECORD_TEXT:
    case RPCTL_RECORD_TEXTS:
    case RPCTL_RECORD_JSON: break;
    }
    assert(false && "not a plain value");
    return false;
}

static int decode_field(const struct rpctl_record_field *field, json_t *value, void *ret,
                        struct rp_error *error)
{
    switch (field->type) {
    case RPCTL_RECORD_TEXTS: return take_texts(value, field->key, ret, error);
    case RPCTL_RECORD_TEXT: return take_text(value, ret) ? 0 : bad(field->key, error);
    case RPCTL_RECORD_JSON:
        *(json_t **)ret = json_is_null(value) ? NULL : value;
        return value ? 0 : bad(field->key, error);
    default: return take_plain(field, value, ret) ? 0 : bad(field->key, error);
    }
}

int rpctl_record_decode(const struct rpctl_record *record, const json_t *object, void *ret,
                        struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < record->count; i++) {
        const struct rpctl_record_field *field = &record->fields[i];

        result = decode_field(field, json_object_get(object, field->key), (char *)ret + field->offset, error);
    }
    return result;
}

int rpctl_record_decode_list(const struct rpctl_record *record, const json_t *object, const char *key,
                             size_t max, void **ret_list, size_t *ret_count, struct rp_error *error)
{
    const json_t *array = json_object_get(object, key);
    size_t count = json_array_size(array);
    int result = 0;

    if (!json_is_array(array) || count > max) return bad(key, error);
    *ret_list = calloc(count + 1, record->bytes);
    if (!*ret_list) return no_memory(error);
    *ret_count = count;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = rpctl_record_decode(record, json_array_get(array, i), (char *)*ret_list + i * record->bytes,
                                     error);
    return result;
}

void rpctl_record_done(const struct rpctl_record *record, void *decoded)
{
    for (size_t i = 0; i < record->count; i++)
        if (record->fields[i].type == RPCTL_RECORD_TEXTS)
            free(*(void **)((char *)decoded + record->fields[i].offset));
}

void rpctl_record_done_list(const struct rpctl_record *record, void *list, size_t count)
{
    for (size_t i = 0; list && i < count; i++) rpctl_record_done(record, (char *)list + i * record->bytes);
    free(list);
}
