#include "linux/listen_fds.h"
#include "pure/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* A child of ours must not take the same listeners again. */
static void clear_environment(void)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_PIDFDID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

/* Before any of them is ours: with one missing the count is wrong, and what stands there instead may belong
 * to somebody else in this process, so nothing is closed. */
static int check_open(unsigned count, struct rp_error *error)
{
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)count; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return rp_error_set(error, -errno, "LISTEN_FDS=%u, but descriptor %d is not open", count, fd);
    }
    return 0;
}

static int check_kind(int fd, struct rp_error *error)
{
    int listening = 0, type = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return rp_error_set(error, -errno, "descriptor %d from LISTEN_FDS: %s", fd, strerror(errno));
    if (!listening || type != SOCK_STREAM)
        return rp_error_set(error, -EINVAL, "descriptor %d from LISTEN_FDS is not a listening stream socket",
                            fd);
    return 0;
}

static int take_one(struct rp_listener *listener, int fd, struct rp_error *error)
{
    int result = check_kind(fd, error);
    if (result < 0) return result;
    result = rp_address_of_socket(&listener->address, fd, error);
    if (result < 0) {
        rp_error_prefix(error, "LISTEN_FDS");
        return result;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return rp_error_set(error, -errno, "descriptor %d from LISTEN_FDS: %s", fd, strerror(errno));
    return 0;
}

static int claim_all(struct rp_listeners *inherited, unsigned count, struct rp_error *error)
{
    struct rp_listener *items = calloc(count, sizeof *items);
    if (items == NULL) return rp_error_set(error, -ENOMEM, "no memory for %u listeners", count);
    clear_environment();
    int result = check_open(count, error);
    if (result < 0) {
        free(items);
        return result;
    }
    for (unsigned i = 0; i < count; i++) {
        items[i].fd = FIRST_FD + (int)i;
        items[i].inherited = true;
    }
    *inherited = (struct rp_listeners){.items = items, .count = count};
    return 0;
}

int rp_listen_fds_take(struct rp_listeners *ret_inherited, struct rp_error *error)
{
    unsigned count = 0;
    struct rp_listeners inherited = {0};
    int result = rp_environment_listen_fds(&count, getenv("LISTEN_PID"), getenv("LISTEN_FDS"),
                                           (unsigned)getpid(), error);
    if (result < 0) return result;
    if (count > 0) {
        result = claim_all(&inherited, count, error);
        if (result < 0) return result;
    }
    for (size_t i = 0; i < inherited.count && result == 0; i++) {
        result = take_one(&inherited.items[i], inherited.items[i].fd, error);
    }
    if (result < 0) {
        rp_listeners_close(&inherited);
        return result;
    }
    *ret_inherited = inherited;
    return 0;
}
