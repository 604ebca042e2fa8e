#include "linux/log_reader.h"
#include "linux/service_dir.h"
#include "linux/terminal.h"
#include "pure/event_text.h"
#include "pure/handoff.h"
#include "pure/printable.h"
#include "shell/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Theory. `rpctl run` prints the events on stdout and what the servers write on stderr. Neither may ever stop
 * the supervisor: a pipe that nobody reads is written to only while it takes a whole block without waiting
 * (poll(2) says so for PIPE_BUF bytes). Events that find no room are dropped; logs wait in their files. */

#define BLOCK_BYTES  4096 /* PIPE_BUF */
#define RETRY_MS     100
#define RELAYED_LOGS 16

struct relayed {
    unsigned generation; /* 0 = free */
    struct rpctl_log_reader reader;
};

struct rpctl_show {
    struct rpctl_service *service;
    struct rpctl_event_text view;
    uv_fs_event_t log_watch;
    uv_timer_t retry;
    unsigned open_handles;
    struct relayed logs[RELAYED_LOGS];
};

static void write_blocks(int fd, const char *bytes, size_t length)
{
    while (length > 0 && rpctl_service_has_room(fd)) {
        ssize_t written = write(fd, bytes, length < BLOCK_BYTES ? length : BLOCK_BYTES);

        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}

void rpctl_service_show(struct rpctl_service *service, const json_t *event)
{
    struct rpctl_show *show = service->show;
    struct rpctl_text text = {0};

    if (!show) return;
    if (service->config->json) {
        char *line = json_dumps(event, JSON_COMPACT);

        if (line) rpctl_text_append(&text, "%s\n", line);
        free(line);
    } else {
        show->view.width = rpctl_terminal_width(STDOUT_FILENO);
        rpctl_event_text_append(&show->view, event, &text);
    }
    write_blocks(STDOUT_FILENO, rpctl_text_string(&text), text.length);
    rpctl_text_done(&text);
}

/* --- the logs ------------------------------------------------------------------------------------------- */

/* As much as fits into a block when it is printed. */
static ssize_t read_block(struct rpctl_log_reader *reader, char block[BLOCK_BYTES])
{
    char bytes[BLOCK_BYTES / RPCTL_PRINTABLE_ESCAPE_BYTES];

    if (!isatty(STDERR_FILENO)) return rpctl_log_reader_read(reader, block, BLOCK_BYTES);
    return rpctl_log_reader_read_printable(reader, bytes, sizeof bytes, block);
}

/* True when it is at the end of the log. */
static bool relay(struct rpctl_log_reader *reader)
{
    char block[BLOCK_BYTES];

    while (rpctl_service_has_room(STDERR_FILENO)) {
        ssize_t length = read_block(reader, block);

        if (length <= 0) return true;
        if (write(STDERR_FILENO, block, (size_t)length) < 0) return true;
    }
    return false;
}

static struct relayed *log_of(struct rpctl_show *show, unsigned generation)
{
    struct relayed *free_place = NULL;
    int log_dir = rpctl_service_dir_log_fd(show->service->config->dir);

    for (size_t i = 0; i < RELAYED_LOGS; i++) {
        if (show->logs[i].generation == generation) return &show->logs[i];
        if (show->logs[i].generation == 0) free_place = &show->logs[i];
    }
    if (!free_place || rpctl_log_reader_open(&free_place->reader, log_dir, generation, NULL) < 0) return NULL;
    free_place->generation = generation;
    return free_place;
}

/* Generations that are gone have said their last. */
static void close_old_logs(struct rpctl_show *show)
{
    for (size_t i = 0; i < RELAYED_LOGS; i++) {
        struct relayed *log = &show->logs[i];

        if (log->generation == 0 || rpctl_service_find_generation(show->service, log->generation)) continue;
        if (!relay(&log->reader)) continue;
        rpctl_log_reader_close(&log->reader);
        log->generation = 0;
    }
}

static void on_retry(uv_timer_t *timer);

static void relay_all(struct rpctl_show *show)
{
    bool all = true;
    const struct rpctl_generation *generation;

    for (generation = show->service->generations; generation; generation = generation->next) {
        struct relayed *log = generation->log_fd >= 0 ? log_of(show, generation->number) : NULL;

        if (log && !relay(&log->reader)) all = false;
    }
    close_old_logs(show);
    if (!all) uv_timer_start(&show->retry, on_retry, RETRY_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
    relay_all(timer->data);
}

static void on_log_written(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    if (status == 0) relay_all(watch->data);
}

/* --- from one program to the next ----------------------------------------------------------------------- */

size_t rpctl_service_show_logs(const struct rpctl_service *service, struct rpctl_handoff_log *ret_logs,
                               size_t max)
{
    const struct rpctl_show *show = service->show;
    size_t count = 0;

    for (size_t i = 0; show && i < RELAYED_LOGS && count < max; i++)
        if (show->logs[i].generation > 0)
            ret_logs[count++] = (struct rpctl_handoff_log){show->logs[i].generation, show->logs[i].reader.fd,
                                                           show->logs[i].reader.offset};
    return count;
}

void rpctl_service_show_adopt(struct rpctl_service *service, const struct rpctl_handoff_log *logs,
                              size_t count)
{
    struct rpctl_show *show = service->show;

    for (size_t i = 0; i < count; i++) {
        if (show && i < RELAYED_LOGS)
            show->logs[i] = (struct relayed){logs[i].generation, {logs[i].fd, logs[i].offset}};
        else
            close(logs[i].fd);
    }
    if (show) relay_all(show);
}

/* --- beginning and end ---------------------------------------------------------------------------------- */

static int watch(struct rpctl_show *show)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", rpctl_service_dir_log_fd(show->service->config->dir));
    return uv_fs_event_start(&show->log_watch, on_log_written, path, 0);
}

void rpctl_service_show_watch(struct rpctl_service *service)
{
    int status;

    if (!service->show) return;
    uv_fs_event_stop(&service->show->log_watch);
    status = watch(service->show);
    if (status < 0) rpctl_service_log(service, "log-watch=failed reason=\"%s\"", uv_strerror(status));
}

int rpctl_service_show_start(struct rpctl_service *service, struct rp_error *error)
{
    struct rpctl_show *show;
    int status;

    if (!service->config->foreground) return 0;
    show = calloc(1, sizeof *show);
    if (!show) return rp_error_set(error, -ENOMEM, "no memory for the output");
    show->service = service;
    show->view.live = rpctl_terminal_is_live(STDOUT_FILENO);
    show->view.colour = rpctl_terminal_has_colour(STDOUT_FILENO);
    show->view.quiet = service->config->quiet;
    uv_fs_event_init(&service->loop, &show->log_watch);
    uv_timer_init(&service->loop, &show->retry);
    show->log_watch.data = show->retry.data = show;
    show->open_handles = 2;
    service->show = show;
    status = watch(show);
    if (status < 0)
        return rp_error_set(error, status, "cannot watch the logs: %s (fs.inotify.max_user_watches?)",
                            uv_strerror(status));
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct rpctl_show *show = handle->data;

    show->open_handles--;
    if (show->open_handles == 0) free(show);
}

void rpctl_service_show_stop(struct rpctl_service *service)
{
    struct rpctl_show *show = service->show;

    if (!show) return;
    relay_all(show);
    for (size_t i = 0; i < RELAYED_LOGS; i++)
        if (show->logs[i].generation) rpctl_log_reader_close(&show->logs[i].reader);
    service->show = NULL;
    uv_close((uv_handle_t *)&show->log_watch, on_closed);
    uv_close((uv_handle_t *)&show->retry, on_closed);
}
