#include "windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct load_window *find(const struct load_windows *windows, const char *name)
{
    for (size_t i = 0; i < windows->count; i++)
        if (strcmp(windows->items[i]->name, name) == 0) return windows->items[i];
    return NULL;
}

static int append(struct load_windows *windows, const char *name, struct load_window **ret_window)
{
    size_t length = strlen(name);
    if (length >= LOAD_WINDOW_NAME_BYTES) return -ENAMETOOLONG;
    if (windows->count == LOAD_WINDOWS_MAX) return -ENOSPC;
    struct load_window *window = calloc(1, sizeof(*window));
    if (!window) return -ENOMEM;
    memcpy(window->name, name, length + 1);
    windows->items[windows->count++] = window;
    *ret_window = window;
    return 0;
}

void load_windows_settle(struct load_windows *windows, uint64_t now_ns)
{
    if (windows->current) windows->current->open_ns += now_ns - windows->since_ns;
    windows->since_ns = now_ns;
}

int load_windows_mark(struct load_windows *windows, const char *name, uint64_t now_ns)
{
    struct load_window *window = find(windows, name);
    if (!window) {
        int error = append(windows, name, &window);
        if (error < 0) return error;
    }
    load_windows_settle(windows, now_ns);
    windows->current = window;
    return 0;
}

void load_windows_done(struct load_windows *windows)
{
    for (size_t i = 0; i < windows->count; i++) free(windows->items[i]);
    windows->count = 0;
    windows->current = NULL;
}
