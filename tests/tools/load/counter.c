#include "counter.h"

#include <string.h>

/* From the end: the newest generation or pid answers most often. `used` when there is none. */
static size_t find(const struct load_counter *counter, const char *label)
{
    for (size_t i = counter->used; i-- > 0;)
        if (strncmp(counter->items[i].label, label, LOAD_COUNTER_LABEL_BYTES - 1) == 0) return i;
    return counter->used;
}

static struct load_counter_item *append(struct load_counter *counter, const char *label)
{
    if (counter->used == LOAD_COUNTER_LABELS) return &counter->items[LOAD_COUNTER_LABELS - 1];
    struct load_counter_item *item = &counter->items[counter->used++];
    const char *text = counter->used == LOAD_COUNTER_LABELS ? LOAD_COUNTER_REST : label;
    size_t length = strnlen(text, LOAD_COUNTER_LABEL_BYTES - 1);
    memcpy(item->label, text, length);
    item->label[length] = '\0';
    item->count = 0;
    return item;
}

void load_counter_add(struct load_counter *counter, const char *label, uint64_t count)
{
    size_t i = find(counter, label);
    struct load_counter_item *item = i < counter->used ? &counter->items[i] : append(counter, label);
    item->count += count;
}

uint64_t load_counter_get(const struct load_counter *counter, const char *label)
{
    size_t i = find(counter, label);
    return i < counter->used ? counter->items[i].count : 0;
}

void load_counter_merge(struct load_counter *counter, const struct load_counter *other)
{
    for (size_t i = 0; i < other->used; i++)
        load_counter_add(counter, other->items[i].label, other->items[i].count);
}
