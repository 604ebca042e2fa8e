/* The exit codes of rpctl: what a script may rely on. The same numbers are in `result` events. */
#ifndef RPCTL_EXIT_CODE_H
#define RPCTL_EXIT_CODE_H

enum rpctl_exit {
    RPCTL_EXIT_DONE = 0,
    RPCTL_EXIT_FAILED = 1, /* the service is as before */
    RPCTL_EXIT_USAGE = 2,
    RPCTL_EXIT_ROLLED_BACK = 3, /* the shift had begun; the old generation serves all again */
    RPCTL_EXIT_BUSY = 4,        /* another operation is under way, or too many generations drain */
    RPCTL_EXIT_NO_SERVICE = 5,
    RPCTL_EXIT_REFUSED = 6,      /* by the checks before launch */
    RPCTL_EXIT_NOT_SPOTLESS = 7, /* upgraded, but connections were cut or the witness saw a failure */
    RPCTL_EXIT_BUG = 70,         /* a bug or a system error in rpctl itself */
    RPCTL_EXIT_SIGNAL = 128,     /* plus the signal's number: the client was interrupted, nothing else */
};

/* The `outcome` text of an exit code; "bug" for a number that is none. Pure. */
const char *rpctl_exit_outcome(int code);

#endif
