#include "greeting.h"

#include <string.h>

#define PREFIX "Client ["
#define MIDDLE "] Received msg from Server PID: ["

static bool parse_decimal(const char *text, const char *end, uint32_t max, uint32_t *ret_value)
{
    uint64_t value = 0;
    if (text == end || end - text > 10) return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    if (value == 0 || value > max) return false;
    *ret_value = (uint32_t)value;
    return true;
}

bool load_greeting_parse(struct load_greeting *ret_greeting, const char *text, size_t size)
{
    const char *end = text + size;
    if (size > 0 && end[-1] == '\n') end--;
    if (end - text < (ptrdiff_t)strlen(PREFIX) || memcmp(text, PREFIX, strlen(PREFIX)) != 0) return false;
    const char *address = text + strlen(PREFIX);
    const char *middle = memmem(address, (size_t)(end - address), MIDDLE, strlen(MIDDLE));
    if (!middle || end[-1] != ']') return false;
    const char *colon = memrchr(address, ':', (size_t)(middle - address));
    uint32_t port = 0;
    uint32_t pid = 0;
    if (!colon || colon == address || !parse_decimal(colon + 1, middle, UINT16_MAX, &port)) return false;
    if (!parse_decimal(middle + strlen(MIDDLE), end - 1, INT32_MAX, &pid)) return false;
    ret_greeting->client_port = (uint16_t)port;
    ret_greeting->pid = pid;
    return true;
}
