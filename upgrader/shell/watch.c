#include "pure/json_memory.h"
#include "shell/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Theory. Whoever watches gets a status whenever it has changed. What can change it is all over the shell, so
 * it is looked at again and again while somebody watches, and compared with what was sent last; how long a
 * phase has been going on is no change. The connections are counted more rarely, and the more rarely the
 * longer that takes. */

#define LOOK_MS     100
#define COUNT_MS    500
#define COUNT_SHARE 10 /* counting takes at most one part in so many of the time */

static char *dump(const json_t *status)
{
    return status ? json_dumps(status, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
}

/* The same for two that differ in nothing worth telling. */
static char *fingerprint(json_t *status)
{
    json_t *operation = json_object_get(status, "operation");
    json_t *ms = json_incref(json_object_get(operation, "ms"));
    char *text;

    json_object_del(operation, "ms");
    text = dump(status);
    if (ms) json_object_set_new(operation, "ms", ms);
    return text;
}

static bool is_new(struct rpctl_watch *watch, json_t *status)
{
    char *text = fingerprint(status);
    bool same = text && watch->last && strcmp(text, watch->last) == 0;

    free(watch->last);
    watch->last = text;
    return !same;
}

/* The status as a line; NULL when it lacks something for want of memory: the next look may have it. */
static char *make_line(struct rpctl_watch *watch, json_t *status, bool *ret_changed)
{
    char *line = dump(status);
    bool short_of_memory = rpctl_json_memory_was_short();

    rpctl_json_memory_watch(); /* for the next event */
    if (line && !short_of_memory) {
        *ret_changed = is_new(watch, status);
        return line;
    }
    free(line);
    return NULL;
}

static void look(struct rpctl_service *service)
{
    struct rpctl_watch *watch = &service->watch;
    bool changed = false;
    json_t *status;
    char *line;

    rpctl_json_memory_watch();
    status = rpctl_service_status(service);
    line = make_line(watch, status, &changed);

    for (size_t i = 0; line && i < watch->count; i++) {
        struct rpctl_watcher *watcher = &watch->watchers[i];

        if (watcher->counted && (changed || !watcher->has_one)) {
            rpctl_control_client_send(watcher->client, line);
            watcher->has_one = true;
        }
    }
    free(line);
    if (status) json_decref(status);
}

/* A process that is new does not wait. */
static uint64_t pause_ms(const struct rpctl_service *service)
{
    uint64_t least_ms = service->census.took_ms * COUNT_SHARE;

    if (!service->census.failed && !rpctl_service_census_is_complete(service)) return least_ms;
    return least_ms > COUNT_MS ? least_ms : COUNT_MS;
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;

    look(service);
    if (uv_now(&service->loop) - service->census.ended_ms >= pause_ms(service))
        rpctl_service_census_refresh(service);
}

void rpctl_service_watch_add(struct rpctl_service *service, struct rpctl_control_client *client)
{
    struct rpctl_watch *watch = &service->watch;

    assert(watch->count < RPCTL_CONTROL_CLIENTS_MAX); /* the server takes no more clients */
    watch->watchers[watch->count++] = (struct rpctl_watcher){.client = client};
    if (!uv_is_active((uv_handle_t *)&service->watch_timer))
        uv_timer_start(&service->watch_timer, on_look, LOOK_MS, LOOK_MS);
    rpctl_service_census_refresh(service);
}

void rpctl_service_watch_counted(struct rpctl_service *service)
{
    struct rpctl_watch *watch = &service->watch;

    for (size_t i = 0; i < watch->count; i++) watch->watchers[i].counted = true;
    if (watch->count > 0) look(service);
}

void rpctl_service_watch_forget(struct rpctl_service *service, const struct rpctl_control_client *client)
{
    struct rpctl_watch *watch = &service->watch;

    for (size_t i = 0; i < watch->count; i++) {
        if (watch->watchers[i].client != client) continue;
        watch->watchers[i] = watch->watchers[--watch->count];
        break;
    }
    if (watch->count > 0) return;
    uv_timer_stop(&service->watch_timer);
    free(watch->last);
    watch->last = NULL;
}

void rpctl_service_watch_end(struct rpctl_service *service)
{
    struct rpctl_watch *watch = &service->watch;

    for (size_t i = 0; i < watch->count; i++) rpctl_control_client_finish(watch->watchers[i].client);
}
