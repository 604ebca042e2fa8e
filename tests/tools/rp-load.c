/* rp-load: a client that loses count of nothing.
 *
 * Two kinds of clients hammer a server at the same time: fresh ones, which connect anew for every request,
 * and keep-alive ones, which think between requests. Every request ends as an answer or as a failure of one
 * kind (load/tally.h); a failed request is never repeated. Closed loop: a client waits for its answer, so a
 * stall shows in the slowest answer, not in the number of slow ones. The parts are in load/, one concept per
 * file. */
#include "load/loop.h"
#include "load/options.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct load_options options;
    uint64_t failures = 0;
    if (load_options_parse(&options, argc, argv) < 0) return 2;
    if (options.help) {
        load_options_help();
        return 0;
    }
    int error = load_loop_run(&options, &failures);
    if (error < 0) {
        fprintf(stderr, "rp-load: cannot run: %s\n", strerror(-error));
        return 2;
    }
    return failures > 0 ? 1 : 0;
}
