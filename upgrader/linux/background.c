#include "linux/background.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a;
    int y = *(const int *)b;
    return (x > y) - (x < y);
}

static void close_others(const int *keep, size_t count)
{
    int sorted[RPCTL_BACKGROUND_KEEP_MAX];
    int next = STDERR_FILENO + 1;
    assert(count <= RPCTL_BACKGROUND_KEEP_MAX);
    memcpy(sorted, keep, count * sizeof *keep);
    qsort(sorted, count, sizeof *sorted, ascending);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] > next) close_range((unsigned)next, (unsigned)sorted[i] - 1, 0);
        if (sorted[i] >= next) next = sorted[i] + 1;
    }
    close_range((unsigned)next, UINT_MAX, 0);
}

int rpctl_background_enter(int log_fd, const int *keep, size_t count)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0) return -errno;
    if (setsid() < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0)
        return -errno;
    close_others(keep, count);
    return 0;
}
