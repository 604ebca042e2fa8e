#include "pure/safe_indices.h"

static size_t count_of(const enum rpctl_fate *fates, size_t count, enum rpctl_fate fate)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) found += fates[i] == fate;
    return found;
}

size_t rpctl_safe_indices(const enum rpctl_fate *fates, size_t count, bool *ret_safe)
{
    size_t living = count - count_of(fates, count, RPCTL_FATE_DOOMED);
    bool all_serve = count_of(fates, count, RPCTL_FATE_STAYS) == 0;
    size_t safe = 0;

    for (size_t i = 0; i < count; i++) {
        ret_safe[i] = fates[i] == RPCTL_FATE_SERVES && (i < living || (i == living && all_serve));
        safe += ret_safe[i];
    }
    return safe;
}
