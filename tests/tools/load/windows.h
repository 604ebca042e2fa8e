/* Named stretches of a run ("steady", "upgrade"), each with a tally of its own. Pure.
 *
 * A request belongs to the window in which it began, also when it ends later: a stall that an upgrade causes
 * is booked on the upgrade. A name that is marked again continues its window. */
#ifndef LOAD_WINDOWS_H
#define LOAD_WINDOWS_H

#include "losses.h"
#include "tally.h"

#include <stddef.h>
#include <stdint.h>

#define LOAD_WINDOWS_MAX       1024
#define LOAD_WINDOW_NAME_BYTES 64

struct load_window {
    char name[LOAD_WINDOW_NAME_BYTES];
    uint64_t open_ns; /* sum of the time it was the current one, up to the last load_windows_mark */
    struct load_tally tally;
    struct load_losses losses;
};

struct load_windows {
    struct load_window *items[LOAD_WINDOWS_MAX]; /* owned */
    size_t count;
    struct load_window *current;
    uint64_t since_ns;
};

/* Makes `name` the current window, from now_ns on. -ENOSPC, -ENAMETOOLONG, -ENOMEM; then nothing changes. */
int load_windows_mark(struct load_windows *windows, const char *name, uint64_t now_ns);

/* Adds the time of the current window up to now_ns to it. */
void load_windows_settle(struct load_windows *windows, uint64_t now_ns);

void load_windows_done(struct load_windows *windows);

#endif
