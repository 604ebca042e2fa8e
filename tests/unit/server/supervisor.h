/* The sockets of a supervisor, at paths in a folder of their own: one for links (RP_SOCKET), one for
 * notifications (NOTIFY_SOCKET).
 *
 * Owns the folder from supervisor_prepare to supervisor_forget, the sockets from supervisor_start to
 * supervisor_die; another start makes other sockets at the same paths. */
#ifndef TEST_SERVER_SUPERVISOR_H
#define TEST_SERVER_SUPERVISOR_H

#include "server/child.h"
#include "server/notification.h"

#include <errno.h>
#include <poll.h>
#include <rp/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PATIENCE_MS 60000

static struct {
    char folder[32];
    char link_path[64];
    char notify_path[64];
    int link_fd; /* listens */
    int notify_fd;
} supervisor;

static inline void supervisor_prepare(void)
{
    strcpy(supervisor.folder, "/tmp/rp-link-XXXXXX");
    cr_assert_not_null(mkdtemp(supervisor.folder));
    snprintf(supervisor.link_path, sizeof supervisor.link_path, "%s/instances", supervisor.folder);
    snprintf(supervisor.notify_path, sizeof supervisor.notify_path, "%s/notify", supervisor.folder);
    setenv("RP_SERVICE", "web", 1);
    setenv("RP_SOCKET", supervisor.link_path, 1);
    setenv("NOTIFY_SOCKET", supervisor.notify_path, 1);
}

static inline int supervisor_bind(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_geq(fd, 0);
    unlink(path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void supervisor_start(int backlog)
{
    supervisor.notify_fd = supervisor_bind(supervisor.notify_path, SOCK_DGRAM);
    supervisor.link_fd = supervisor_bind(supervisor.link_path, SOCK_SEQPACKET);
    cr_assert_eq(listen(supervisor.link_fd, backlog), 0);
}

/* The paths stay, as after SIGKILL. */
static inline void supervisor_die(void)
{
    close(supervisor.link_fd);
    close(supervisor.notify_fd);
}

static inline void supervisor_forget(void)
{
    unlink(supervisor.link_path);
    unlink(supervisor.notify_path);
    rmdir(supervisor.folder);
}

static inline int supervisor_accept(void)
{
    int fd = accept4(supervisor.link_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(fd, 0, "no link: %s", strerror(errno));
    return fd;
}

static inline bool supervisor_has_link(void)
{
    struct pollfd poll_fd = {.fd = supervisor.link_fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static inline bool readable(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, wait_ms) == 1;
}

#endif
