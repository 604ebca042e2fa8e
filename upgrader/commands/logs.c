#include "commands/client.h"
#include "commands/commands.h"
#include "commands/report.h"
#include "linux/directory_watch.h"
#include "linux/log_reader.h"
#include "pure/exit_code.h"
#include "pure/printable.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES  65536
#define FOLLOWED_MAX 4 /* generations whose logs are read at once: one serves, the others drain */

struct followed {
    unsigned generation;
    struct rpctl_log_reader reader;
};

struct view {
    int log_dir_fd;
    struct followed logs[FOLLOWED_MAX]; /* oldest first */
    size_t count;
    unsigned printed; /* whose lines were printed last */
    char *block;
    char *text; /* of a block, for a terminal; NULL when bytes are printed as they are */
};

/* What is to be printed next: *ret_bytes of that length, or nothing. */
static ssize_t read_next(struct view *view, struct followed *log, const char **ret_bytes)
{
    *ret_bytes = view->text ? view->text : view->block;
    if (view->text)
        return rpctl_log_reader_read_printable(&log->reader, view->block, BLOCK_BYTES, view->text);
    return rpctl_log_reader_read(&log->reader, view->block, BLOCK_BYTES);
}

/* Prints what a log has now. A header tells whose lines follow, when that changes. */
static int print_new(struct view *view, struct followed *log)
{
    const char *bytes;
    ssize_t length;
    while ((length = read_next(view, log, &bytes)) > 0) {
        if (view->printed != log->generation) printf("==> generation %u <==\n", log->generation);
        view->printed = log->generation;
        fwrite(bytes, 1, (size_t)length, stdout);
    }
    fflush(stdout);
    return (int)length;
}

static int print_all_new(struct view *view)
{
    int result = 0;
    for (size_t i = 0; i < view->count && result == 0; i++) result = print_new(view, &view->logs[i]);
    return result;
}

static void drop_oldest(struct view *view)
{
    rpctl_log_reader_close(&view->logs[0].reader);
    view->count--;
    memmove(view->logs, view->logs + 1, view->count * sizeof view->logs[0]);
}

static int add_log(struct view *view, unsigned generation, struct rp_error *error)
{
    if (view->count == FOLLOWED_MAX) drop_oldest(view);
    struct followed *log = &view->logs[view->count];
    int result = rpctl_log_reader_open(&log->reader, view->log_dir_fd, generation, error);
    if (result < 0) return result;
    log->generation = generation;
    view->count++;
    return 0;
}

/* Takes up the logs of generations that came since. One that is gone again already is passed over. */
static int add_newer_logs(struct view *view, struct rp_error *error)
{
    unsigned last = view->logs[view->count - 1].generation;
    unsigned newest;
    if (rpctl_log_reader_newest(view->log_dir_fd, last, &newest) < 0) return 0;
    unsigned first = newest - last > FOLLOWED_MAX ? newest - FOLLOWED_MAX + 1 : last + 1;
    for (unsigned generation = first; generation <= newest; generation++) {
        int result = add_log(view, generation, error);
        if (result < 0 && result != -ENOENT) return result;
    }
    return 0;
}

/* The watch is open before the first look at the files, so that nothing is missed between two looks. */
static int follow(struct view *view, bool newer_too, int watch_fd, struct rp_error *error)
{
    int result = 0;
    while (result == 0) {
        result = newer_too ? add_newer_logs(view, error) : 0;
        if (result == 0 && (result = print_all_new(view)) < 0)
            return rp_error_set(error, result, "cannot read the log: %s", strerror(-result));
        if (result == 0) result = rpctl_directory_watch_wait(watch_fd, error);
    }
    return result;
}

static int show(struct view *view, const struct rpctl_command_line *line, struct rp_error *error)
{
    unsigned generation = line->generation;
    int watch_fd = -1;
    int result = line->follow ? rpctl_directory_watch_open(view->log_dir_fd, &watch_fd, error) : 0;
    if (result == 0 && generation == 0 && rpctl_log_reader_newest(view->log_dir_fd, 0, &generation) < 0)
        result = rp_error_set(error, -ENOENT, "service %s has written no log yet", line->name);
    if (result == 0) result = add_log(view, generation, error);
    if (result == 0) result = rpctl_log_reader_skip_to_last(&view->logs[0].reader, line->lines, error);
    view->printed = generation;
    if (result == 0 && line->follow) result = follow(view, line->generation == 0, watch_fd, error);
    if (result == 0) result = print_all_new(view);
    if (watch_fd >= 0) close(watch_fd);
    return result;
}

static int show_in(const struct rpctl_service_dir *dir, const struct rpctl_command_line *line,
                   struct rp_error *error)
{
    struct view view = {.log_dir_fd = rpctl_service_dir_log_fd(dir), .block = malloc(BLOCK_BYTES)};
    int result;
    bool is_terminal = isatty(STDOUT_FILENO);
    if (is_terminal) view.text = malloc((size_t)BLOCK_BYTES * RPCTL_PRINTABLE_ESCAPE_BYTES);
    if (!view.block || (is_terminal && !view.text))
        result = rp_error_set(error, -ENOMEM, "out of memory");
    else if (view.log_dir_fd < 0)
        result = rp_error_set(error, -ENOENT, "service %s has written no log yet", line->name);
    else
        result = show(&view, line, error);
    while (view.count > 0) drop_oldest(&view);
    free(view.block);
    free(view.text);
    return result;
}

int rpctl_command_logs(const struct rpctl_command_line *line)
{
    struct rp_error error = {.message = "cannot read the log"};
    struct rpctl_service_dir *dir;
    int code = rpctl_client_open_dir(&dir, line, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    int result = show_in(dir, line, &error);
    rpctl_service_dir_close(dir);
    if (result == 0) return RPCTL_EXIT_DONE;
    return rpctl_report_failure(line, result == -ENOENT ? RPCTL_EXIT_FAILED : RPCTL_EXIT_BUG, error.message);
}
