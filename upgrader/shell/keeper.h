/* Keeps the service's state on disk up to date.
 *
 * Theory. Whatever changes what a successor must know calls rpctl_keeper_changed; at the loop's next turn the
 * state is put into words, and a thread of the pool writes them. What changes meanwhile is written after it,
 * once. A disk that is full or slow holds nobody up but who asks for it (rpctl_keeper_has_written): a new
 * generation is launched only when the disk knows who serves, and an old one is told to stop only when it
 * knows that another one does; or when it cannot be told. Who waits remembers which change it waits for:
 * others may come all the time, and on a slow disk some text is always under way.
 *
 * Owns its timer and the text under way. Runs on the loop's thread. */
#ifndef RPCTL_KEEPER_H
#define RPCTL_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct rpctl_service;

struct rpctl_keeper {
    struct rpctl_service *service;
    uv_timer_t timer;
    uv_work_t work;
    uint64_t changes;  /* so far */
    uint64_t in_text;  /* … when the last text was made */
    uint64_t finished; /* … that are on disk, or could not be written */
    bool writing;
    bool failing; /* the last write has failed, and that was logged */
    bool held;    /* nothing is written, nor asked for */
    bool stopped;
    char *text; /* being written */
    size_t length;
    int status; /* of the last write */
    char problem[256];
};

void rpctl_keeper_start(struct rpctl_keeper *keeper, struct rpctl_service *service);
void rpctl_keeper_changed(struct rpctl_keeper *keeper);

/* What a former supervisor has left stays as it is until `release`: while a takeover has not steered yet, its
 * own state knows nobody who serves, and one that came after it would choose the newest. */
void rpctl_keeper_hold(struct rpctl_keeper *keeper);
void rpctl_keeper_release(struct rpctl_keeper *keeper);

/* What has changed up to now, to be asked for later. */
uint64_t rpctl_keeper_now(const struct rpctl_keeper *keeper);

/* True when all that had changed at `then` is on disk, or could not be written. After each write
 * rpctl_leaving_on_written, for every generation, and rpctl_rollout_shell_look_at_pin are called. */
bool rpctl_keeper_has_written(const struct rpctl_keeper *keeper, uint64_t then);

/* … all that has changed. */
bool rpctl_keeper_is_settled(const struct rpctl_keeper *keeper);

/* Begins no more writes; one under way ends before the loop does. */
void rpctl_keeper_stop(struct rpctl_keeper *keeper);

#endif
