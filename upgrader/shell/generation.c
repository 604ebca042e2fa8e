#include "shell/generation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_strings(char **strings)
{
    if (!strings) return;
    for (size_t i = 0; strings[i]; i++) free(strings[i]);
    free(strings);
}

static char **copy_strings(char *const *strings)
{
    size_t count = 0;
    char **copy;

    while (strings && strings[count]) count++;
    copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(strings[i]);
        if (copy[i]) continue;
        free_strings(copy);
        return NULL;
    }
    return copy;
}

int rpctl_release_copy(struct rpctl_release *ret_copy, const char *binary, char *const *args,
                       char *const *env)
{
    struct rpctl_release copy = {strdup(binary), copy_strings(args), copy_strings(env)};

    if (!copy.binary || !copy.args || !copy.env) {
        rpctl_release_free(&copy);
        return -ENOMEM;
    }
    *ret_copy = copy;
    return 0;
}

void rpctl_release_free(struct rpctl_release *release)
{
    free(release->binary);
    free_strings(release->args);
    free_strings(release->env);
    *release = (struct rpctl_release){0};
}

const char *rpctl_release_name(const struct rpctl_release *release)
{
    const char *slash = strrchr(release->binary, '/');

    return slash ? slash + 1 : release->binary;
}

int rpctl_generation_new(struct rpctl_generation **ret_generation, unsigned number,
                         const struct rpctl_release *release, const struct rpctl_policy *policy)
{
    struct rpctl_generation *generation = calloc(1, sizeof *generation);
    int result;

    if (!generation) return -ENOMEM;
    generation->number = number;
    generation->policy = *policy;
    generation->log_fd = -1;
    rpctl_drain_init(&generation->drain);
    result = rpctl_release_copy(&generation->release, release->binary, release->args, release->env);
    generation->instances = calloc(policy->instances, sizeof *generation->instances);
    if (result < 0 || !generation->instances) {
        rpctl_generation_free(generation);
        return -ENOMEM;
    }
    generation->instance_count = policy->instances;
    for (unsigned i = 0; i < policy->instances; i++) {
        generation->instances[i] = (struct rpctl_instance){
            .generation = generation, .number = i + 1, .state = RPCTL_INSTANCE_EXITED, .process.pidfd = -1};
    }
    *ret_generation = generation;
    return 0;
}

void rpctl_generation_free(struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        assert(generation->instances[i].process.pidfd < 0);
        assert(!generation->instances[i].relaunch);
        assert(!generation->instances[i].watch);
        rpctl_collected_free(generation->instances[i].seen);
    }
    assert(!generation->leaving && !generation->sweep);
    if (generation->log_fd >= 0) close(generation->log_fd);
    rpctl_release_free(&generation->release);
    free(generation->instances);
    free(generation);
}

bool rpctl_generation_is_leaving(const struct rpctl_generation *generation)
{
    return generation->drain.state != RPCTL_DRAIN_IDLE;
}

bool rpctl_generation_was_told_to_stop(const struct rpctl_generation *generation)
{
    return generation->state == RPCTL_GENERATION_STOPPING || generation->drain.state >= RPCTL_DRAIN_DRAINING;
}

unsigned rpctl_generation_running(const struct rpctl_generation *generation)
{
    unsigned running = 0;

    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0) running++;
    return running;
}

struct rpctl_instance *rpctl_generation_find(struct rpctl_generation *generation, pid_t pid)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        struct rpctl_instance *instance = &generation->instances[i];

        if (instance->process.pidfd >= 0 && instance->process.pid == pid) return instance;
    }
    return NULL;
}

bool rpctl_instance_is_counted(const struct rpctl_instance *instance)
{
    return instance->process.pidfd < 0 || instance->counted_pid == instance->process.pid;
}

static struct rpctl_health declared(const struct rpctl_generation *generation)
{
    if (generation->health.kind != RPCTL_HEALTH_AUTO) return generation->health;
    return (struct rpctl_health){.kind = RPCTL_HEALTH_TCP};
}

struct rpctl_health rpctl_generation_health(const struct rpctl_generation *generation)
{
    return generation->policy.health.kind == RPCTL_HEALTH_AUTO ? declared(generation)
                                                               : generation->policy.health;
}
