#include "linux/log_file.h"
#include "pure/printable.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What of the file is looked at. */
struct window {
    char *bytes;
    size_t length;
};

/* Reads what is there of [from, from + length); the file may be shorter by then. */
static int read_window(int fd, uint64_t from, struct window *window)
{
    size_t wanted = window->length;
    window->length = 0;
    while (window->length < wanted) {
        ssize_t length = pread(fd, window->bytes + window->length, wanted - window->length,
                               (off_t)(from + window->length));
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -errno;
        if (length == 0) break;
        window->length += (size_t)length;
    }
    return 0;
}

static void drop(struct window *window, size_t bytes)
{
    window->bytes += bytes;
    window->length -= bytes;
}

/* What stands before the first line end is the rest of a line that began earlier. */
static void drop_part_of_line(struct window *window)
{
    char *newline = memchr(window->bytes, '\n', window->length);
    if (newline) drop(window, (size_t)(newline + 1 - window->bytes));
}

/* A hole reads as NULs, and the trim that made it cut a line in two. */
static void drop_hole(struct window *window)
{
    size_t zeros = 0;
    while (zeros < window->length && window->bytes[zeros] == '\0') zeros++;
    drop(window, zeros);
    if (zeros > 0) drop_part_of_line(window);
}

/* Takes the last non-empty line off the window; its length is 0 when there is none. */
static size_t take_last_line(struct window *window, const char **ret_line)
{
    while (window->length > 0 && window->bytes[window->length - 1] == '\n') window->length--;
    const char *newline = window->length > 0 ? memrchr(window->bytes, '\n', window->length) : NULL;
    const char *line = newline ? newline + 1 : window->bytes;
    size_t length = (size_t)(window->bytes + window->length - line);
    window->length -= length;
    *ret_line = line;
    if (length > 0 && line[length - 1] == '\r') length--;
    return length;
}

/* Fills the lines from the last to the first; returns how many there were. */
static size_t fill_lines(struct rpctl_log_tail *tail, size_t max_lines, struct window window)
{
    size_t first = max_lines;
    while (first > 0 && window.length > 0) {
        const char *line;
        size_t length = take_last_line(&window, &line);
        if (length == 0) continue;
        rpctl_printable_copy(tail->lines[--first], sizeof *tail->lines, line, length);
    }
    size_t count = max_lines - first;
    memmove(tail->lines, tail->lines + first, count * sizeof *tail->lines);
    return count;
}

static int allocate(struct rpctl_log_tail *tail, size_t max_lines, struct window *window)
{
    tail->count = 0;
    tail->lines = calloc(max_lines > 0 ? max_lines : 1, sizeof *tail->lines);
    window->bytes = malloc(window->length + 1);
    if (tail->lines && window->bytes) return 0;
    free(tail->lines);
    free(window->bytes);
    return -ENOMEM;
}

static int read_tail(int fd, uint64_t from, uint64_t size, size_t max_lines, struct rpctl_log_tail *ret_tail)
{
    struct rpctl_log_tail tail;
    bool cut = size - from > RPCTL_LOG_FILE_TAIL_BYTES;
    if (cut) from = size - RPCTL_LOG_FILE_TAIL_BYTES;
    struct window window = {.length = (size_t)(size - from)};
    int r = allocate(&tail, max_lines, &window);
    if (r < 0) return r;
    char *buffer = window.bytes;
    r = read_window(fd, from, &window);
    if (r == 0) {
        if (cut) drop_part_of_line(&window);
        drop_hole(&window);
        tail.count = fill_lines(&tail, max_lines, window);
    }
    free(buffer);
    if (tail.count == 0) rpctl_log_tail_done(&tail);
    if (r == 0) *ret_tail = tail;
    return r;
}

int rpctl_log_file_tail(int fd, uint64_t from_offset, size_t max_lines, struct rpctl_log_tail *ret_tail,
                        struct rp_error *error)
{
    uint64_t size;
    if (max_lines > RPCTL_LOG_FILE_LINES_MAX) max_lines = RPCTL_LOG_FILE_LINES_MAX;
    int r = rpctl_log_file_size(fd, &size);
    if (r == 0) r = read_tail(fd, from_offset < size ? from_offset : size, size, max_lines, ret_tail);
    if (r < 0) return rp_error_set(error, r, "cannot read the log: %s", strerror(-r));
    return 0;
}

void rpctl_log_tail_done(struct rpctl_log_tail *tail)
{
    free(tail->lines);
    *tail = (struct rpctl_log_tail){0};
}
