#include "pure/exit_hint.h"

#include <stdio.h>
#include <string.h>

bool rpctl_log_line_says_in_use(const char *line)
{
    /* strerror() of glibc, and with it most runtimes; musl; Node. */
    static const char *const words[] = {"address already in use", "address in use", "eaddrinuse"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i])) return true;
    return false;
}

void rpctl_exit_hint(const struct rpctl_exit_facts *facts, char text[RPCTL_EXIT_HINT_BYTES])
{
    char address[RP_ADDRESS_TEXT_BYTES];

    text[0] = '\0';
    if (facts->in_background) {
        snprintf(text, RPCTL_EXIT_HINT_BYTES, ", but runs on in the background: start it in the foreground");
        return;
    }
    if (!facts->address_in_use || !facts->address) return;
    rp_address_format(facts->address, address);
    if (facts->user != facts->group_user)
        snprintf(text, RPCTL_EXIT_HINT_BYTES,
                 "; an address is in use, says its log: it ran as user %u, and the listeners on %s belong to "
                 "user %u; run it as that user",
                 (unsigned)facts->user, address, (unsigned)facts->group_user);
    else
        snprintf(text, RPCTL_EXIT_HINT_BYTES,
                 "; an address is in use, says its log: let it set SO_REUSEPORT before bind() to %s",
                 address);
}
