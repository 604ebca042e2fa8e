/* Reads members of events leniently: what is missing or of another type is "" or 0. Pure. */
#ifndef RPCTL_JSON_GET_H
#define RPCTL_JSON_GET_H

#include <jansson.h>
#include <stdint.h>

/* Valid as long as `object`. */
const char *rpctl_json_text(const json_t *object, const char *key);

/* Also takes a real number, rounded down; a negative number is 0. */
uint64_t rpctl_json_number(const json_t *object, const char *key);

#endif
