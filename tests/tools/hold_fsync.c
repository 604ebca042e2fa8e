/* For LD_PRELOAD: fsync() waits as long as somebody has the file HOLD_FSYNC locked, and takes SLOW_FSYNC_MS
 * milliseconds at least, if that is set. A disk may be as slow. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void take_time(void)
{
    const char *text = getenv("SLOW_FSYNC_MS");
    long ms = text ? strtol(text, NULL, 10) : 0;
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

int fsync(int fd)
{
    int (*next)(int);
    void *symbol = dlsym(RTLD_NEXT, "fsync");
    const char *path = getenv("HOLD_FSYNC");
    int held = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    memcpy(&next, &symbol, sizeof next); /* a function pointer is no object pointer in ISO C */
    if (held >= 0) {
        flock(held, LOCK_SH);
        close(held);
    }
    take_time();
    return next(fd);
}
