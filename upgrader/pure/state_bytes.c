#include "pure/state_bytes.h"

#include "pure/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEX   "hex"
#define BYTES "bytes" /* of a decoded one: a string that jansson was not asked to check */

static const char digits[] = "0123456789abcdef";

static json_t *encode_hex(const char *text)
{
    size_t length = strlen(text);
    char *hex = malloc(2 * length + 1);
    json_t *value = NULL;

    if (!hex) return NULL;
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[(unsigned char)text[i] >> 4];
        hex[2 * i + 1] = digits[(unsigned char)text[i] & 15];
    }
    hex[2 * length] = '\0';
    value = json_pack("{ss}", HEX, hex);
    free(hex);
    return value;
}

json_t *rpctl_state_bytes_encode(const char *text)
{
    return rpctl_utf8_is_valid(text) ? json_string(text) : encode_hex(text);
}

json_t *rpctl_state_bytes_encode_texts(const char *const *texts)
{
    json_t *array = json_array();

    for (size_t i = 0; texts && texts[i]; i++) {
        if (json_array_append_new(array, rpctl_state_bytes_encode(texts[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static int digit_value(char digit)
{
    const char *found = digit ? strchr(digits, digit) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* NULL when it is no hex text, or has a NUL in it, or memory is short. */
static char *decode_hex(const char *hex)
{
    size_t length = strlen(hex);
    char *bytes = length % 2 == 0 ? malloc(length / 2 + 1) : NULL;

    for (size_t i = 0; bytes && i < length; i += 2) {
        int high = digit_value(hex[i]), low = digit_value(hex[i + 1]);

        bytes[i / 2] = (char)(high * 16 + low);
        if (high >= 0 && low >= 0 && bytes[i / 2] != '\0') continue;
        free(bytes);
        bytes = NULL;
    }
    if (bytes) bytes[length / 2] = '\0';
    return bytes;
}

const char *rpctl_state_bytes_decode(json_t *value)
{
    const char *hex = json_string_value(json_object_get(value, HEX));
    char *bytes;

    if (json_is_string(value)) {
        const char *text = json_string_value(value);

        return strlen(text) == json_string_length(value) ? text : NULL; /* no NUL inside */
    }
    if (!hex) return NULL;
    bytes = decode_hex(hex);
    if (!bytes) return NULL;
    if (json_object_set_new_nocheck(value, BYTES, json_string_nocheck(bytes)) < 0) {
        free(bytes);
        return NULL;
    }
    free(bytes);
    return json_string_value(json_object_get(value, BYTES));
}
