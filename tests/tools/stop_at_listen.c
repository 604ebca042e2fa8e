/* For LD_PRELOAD: the process stands still (SIGSTOP) at its second listen(), after the first one has begun to
 * listen. A busy machine may stop any process there, for as long as it likes. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STOPS_AT 2 /* but for STOP_AT_LISTEN */

int listen(int fd, int backlog)
{
    static int calls;
    int (*next)(int, int);
    void *symbol = dlsym(RTLD_NEXT, "listen");

    memcpy(&next, &symbol, sizeof next); /* a function pointer is no object pointer in ISO C */
    const char *at = getenv("STOP_AT_LISTEN");
    if (++calls == (at ? atoi(at) : STOPS_AT)) raise(SIGSTOP);
    return next(fd, backlog);
}
