/* For LD_PRELOAD into a server that rpctl launches: whoever connects can tell whose listener has taken the
 * connection, also when no answer ever comes. The mark is the MSS that the listener gives in its SYN-ACK, one
 * for each instance of each generation; the kernel copies it from the listener. A process that is launched in
 * the place of a dead one takes over the listeners and their mark. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* As in tests/integration/deaths.py. The kernel takes up to 32767, and must not take half of the window for
 * less. */
#define MARK_BASE     2000
#define MARKS         30000
#define INSTANCES_MAX 4

static int number_in(const char *name)
{
    const char *value = getenv(name);
    return value ? atoi(value) : 0;
}

int listen(int fd, int backlog)
{
    int mark = MARK_BASE + (number_in("RP_GENERATION") * INSTANCES_MAX + number_in("RP_INSTANCE")) % MARKS;
    int (*next)(int, int);
    void *symbol = dlsym(RTLD_NEXT, "listen");

    memcpy(&next, &symbol, sizeof next); /* a function pointer is no object pointer in ISO C */
    if (setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mark, sizeof mark) < 0) return -1;
    return next(fd, backlog);
}
