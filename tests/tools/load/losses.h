/* The failed requests of a window, one by one, for a test that must know whose each of them was. Pure, of
 * fixed size. */
#ifndef LOAD_LOSSES_H
#define LOAD_LOSSES_H

#include "tally.h"

#include <stddef.h>
#include <stdint.h>

#define LOAD_LOSSES_MAX 512 /* of a window; the tally counts them all */

struct load_loss {
    enum load_client_kind kind;
    enum load_failure failure;
    uint32_t server_pid; /* of the last answer on that connection; 0: there was none */
    uint32_t mss;        /* that the listener gave in its SYN-ACK, less the TCP options; 0: not connected */
    uint64_t connect_ns; /* when that connection was begun, CLOCK_MONOTONIC */
};

struct load_losses {
    size_t count;
    struct load_loss items[LOAD_LOSSES_MAX];
};

/* What finds no room is left out. */
void load_losses_add(struct load_losses *losses, const struct load_loss *loss);

#endif
