#include "pure/http_list.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool rp_http_list_next(struct rp_http_list *list, const char **ret_element, size_t *ret_length)
{
    if (!list->at) return false;
    const char *element = list->at;
    const char *comma = memchr(element, ',', list->left);
    size_t length = comma ? (size_t)(comma - element) : list->left;
    list->left -= comma ? length + 1 : length;
    list->at = comma ? comma + 1 : NULL;
    while (length > 0 && is_blank(element[0])) {
        element++;
        length--;
    }
    while (length > 0 && is_blank(element[length - 1])) length--;
    *ret_element = element;
    *ret_length = length;
    return true;
}
