#include "faults.h"

#include "shell/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct rpctl_fault_state) <= RPCTL_FAULT_STATE_BYTES, "the file holds the state");

extern const char __executable_start, etext;

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_kill(pid_t pid, int number);
int __real_rpctl_supervisor_main(const struct rpctl_supervisor_config *config);
int __wrap_rpctl_supervisor_main(const struct rpctl_supervisor_config *config);

static struct rpctl_fault_state *state;

/* Of the frames, those in the program itself: a library's own are of no help here. */
static void note_frames(void)
{
    void *frames[2 * RPCTL_FAULT_FRAMES];
    int count = backtrace(frames, 2 * RPCTL_FAULT_FRAMES);
    size_t used = 0;

    for (int i = 0; i < count && used < RPCTL_FAULT_FRAMES; i++) {
        const char *address = frames[i];

        if (address < &__executable_start || address >= &etext) continue;
        /* A return address is that of the next instruction, which may be on another line. */
        state->frames[used++] = (uint64_t)(address - &__executable_start) - 1;
    }
    while (used < RPCTL_FAULT_FRAMES) state->frames[used++] = 0;
}

static void note(const char *call, int error)
{
    snprintf(state->call, sizeof state->call, "%s", call);
    state->error = error;
    note_frames();
    __atomic_store_n(&state->failed, 1, __ATOMIC_RELEASE);
}

/* How often this call was seen, with this time. */
static int64_t count(const char *call)
{
    struct rpctl_fault_count *found = state->counts;

    while (__atomic_exchange_n(&state->lock, 1, __ATOMIC_ACQUIRE) != 0) sched_yield();
    while (found->call[0] && strcmp(found->call, call) != 0) found++;
    assert(found < state->counts + RPCTL_FAULT_CALLS);
    if (!found->call[0]) snprintf(found->call, sizeof found->call, "%s", call);
    int64_t seen = ++found->seen;
    __atomic_store_n(&state->lock, 0, __ATOMIC_RELEASE);
    return seen;
}

static bool is_nth(enum rpctl_fault_kind kind, const char *call)
{
    int64_t of_kind = __atomic_add_fetch(&state->seen[kind], 1, __ATOMIC_RELAXED);
    int64_t of_call = count(call);

    if (kind != (enum rpctl_fault_kind)state->kind) return false;
    if (!state->only[0]) return of_kind == state->nth;
    return of_call == state->nth && strcmp(state->only, call) == 0;
}

bool rpctl_fault_strikes(enum rpctl_fault_kind kind, const char *call, int error)
{
    int saved = errno;

    if (!state || __atomic_load_n(&state->pid, __ATOMIC_ACQUIRE) != getpid()) return false;
    bool strikes = is_nth(kind, call);
    if (strikes) note(call, error);
    if (strikes && state->kills) __real_kill(getpid(), SIGKILL);
    errno = strikes ? error : saved;
    return strikes;
}

int __wrap_rpctl_supervisor_main(const struct rpctl_supervisor_config *config)
{
    int32_t next = RPCTL_FAULT_NEXT;

    if (state)
        __atomic_compare_exchange_n(&state->pid, &next, getpid(), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return __real_rpctl_supervisor_main(config);
}

static struct rpctl_fault_state *map_state(const char *path)
{
    int fd = __real_open(path, O_RDWR | O_CLOEXEC);
    void *mapped = MAP_FAILED;

    if (fd >= 0) {
        mapped = mmap(NULL, RPCTL_FAULT_STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        __real_close(fd);
    }
    if (mapped != MAP_FAILED) return mapped;
    perror(path);
    abort();
}

__attribute__((constructor)) static void prepare(void)
{
    const char *path = getenv("RP_FAULTS");
    void *frame;

    if (!path) return;
    backtrace(&frame, 1); /* the first one loads a library */
    state = map_state(path);
}
