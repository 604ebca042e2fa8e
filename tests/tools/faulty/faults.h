/* The n-th allocation or system call of one process fails, or is the last of it: the state, shared with
 * whoever arms it.
 *
 * It stands in a file of RPCTL_FAULT_STATE_BYTES that RP_FAULTS names and that both sides have mapped.
 * Without the variable nothing ever fails. Only the process `pid` counts, in all its threads, and only while
 * it stands there; so neither clients nor children between fork and exec do. */
#ifndef RPCTL_FAULTS_H
#define RPCTL_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#define RPCTL_FAULT_STATE_BYTES 8192
#define RPCTL_FAULT_FRAMES      16
#define RPCTL_FAULT_CALLS       128
#define RPCTL_FAULT_NAME_BYTES  32
#define RPCTL_FAULT_NEXT        (-1) /* as `pid`: the next process that becomes a supervisor */

enum rpctl_fault_kind { RPCTL_FAULT_MEMORY, RPCTL_FAULT_CALL, RPCTL_FAULT_KINDS };

struct rpctl_fault_count {
    char call[RPCTL_FAULT_NAME_BYTES]; /* "" = free */
    int64_t seen;
};

/* torture.py reads and writes it by these offsets. */
struct rpctl_fault_state {
    int32_t pid;                       /* 0 = nobody */
    int32_t kind;                      /* of the one that fails */
    int64_t nth;                       /* that fails, from 1; 0 = none, for counting */
    char only[RPCTL_FAULT_NAME_BYTES]; /* the nth of this call; "" = of all of the kind */
    int64_t seen[RPCTL_FAULT_KINDS];
    int32_t failed; /* the rest says where */
    int32_t error;
    char call[RPCTL_FAULT_NAME_BYTES];
    uint64_t frames[RPCTL_FAULT_FRAMES]; /* innermost first, as addresses in the program's file; 0 = end */
    struct rpctl_fault_count counts[RPCTL_FAULT_CALLS];
    int32_t lock;  /* of the counts */
    int32_t kills; /* it does not fail: the process is killed instead of making it */
};

/* Counts one call of the kind. True when it has to fail: `error` is in errno then. */
bool rpctl_fault_strikes(enum rpctl_fault_kind kind, const char *call, int error);

#endif
