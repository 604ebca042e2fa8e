#include "pure/json_get.h"

const char *rpctl_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

uint64_t rpctl_json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    double number = json_number_value(value);
    return number > 0 && number < 9e18 ? (uint64_t)number : 0;
}
