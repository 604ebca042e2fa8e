#include "pure/child_environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool belongs_to_contract(const char *entry)
{
    return strncmp(entry, "RP_", 3) == 0 || strncmp(entry, "NOTIFY_SOCKET=", 14) == 0 ||
           strncmp(entry, "LISTEN_", 7) == 0;
}

static size_t count_strings(char *const *strings)
{
    size_t count = 0;

    while (strings && strings[count]) count++;
    return count;
}

static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");

    return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* Replaces the entry of that name, or appends. */
static size_t put(char **entries, size_t count, char *entry)
{
    for (size_t i = 0; i < count; i++) {
        if (!same_name(entries[i], entry)) continue;
        entries[i] = entry;
        return count;
    }
    entries[count] = entry;
    return count + 1;
}

char **rpctl_child_environment(char *const *base, char *const *extra, char *const *contract)
{
    size_t bound = count_strings(base) + count_strings(extra) + count_strings(contract) + 1;
    char **entries = calloc(bound, sizeof *entries);
    size_t count = 0;

    if (!entries) return NULL;
    for (; base && *base; base++)
        if (!belongs_to_contract(*base)) count = put(entries, count, *base);
    for (; extra && *extra; extra++) count = put(entries, count, *extra);
    for (; contract && *contract; contract++) count = put(entries, count, *contract);
    return entries;
}
