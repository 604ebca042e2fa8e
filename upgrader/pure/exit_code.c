#include "pure/exit_code.h"

const char *rpctl_exit_outcome(int code)
{
    if (code > RPCTL_EXIT_SIGNAL) return "interrupted";
    switch (code) {
    case RPCTL_EXIT_DONE: return "done";
    case RPCTL_EXIT_FAILED: return "failed";
    case RPCTL_EXIT_USAGE: return "usage";
    case RPCTL_EXIT_ROLLED_BACK: return "rolled back";
    case RPCTL_EXIT_BUSY: return "busy";
    case RPCTL_EXIT_NO_SERVICE: return "no service";
    case RPCTL_EXIT_REFUSED: return "refused";
    case RPCTL_EXIT_NOT_SPOTLESS: return "not spotless";
    default: return "bug";
    }
}
