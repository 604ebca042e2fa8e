#include "commands/supervisor_end.h"
#include "commands/report.h"
#include "linux/process.h"
#include "linux/unix_socket.h"
#include "pure/exit_code.h"
#include <poll.h>
#include <stdio.h>

#define END_TIMEOUT_MS 5000 /* for one that has closed its connections */

/* Nobody has its pid any more, or its process ends now. */
static bool has_ended(const struct rpctl_client *client)
{
    struct rpctl_process supervisor;
    struct ucred peer;
    if (rpctl_unix_socket_peer(client->fd, &peer, NULL) < 0) return false;
    if (rpctl_process_open(&supervisor, peer.pid, NULL) < 0) return true;
    struct pollfd polled = {.fd = supervisor.pidfd, .events = POLLIN};
    bool ended = poll(&polled, 1, END_TIMEOUT_MS) > 0;
    rpctl_process_close(&supervisor);
    return ended;
}

int rpctl_report_supervisor_end(const struct rpctl_client *client, const struct rpctl_command_line *line)
{
    char message[RP_ERROR_MESSAGE_BYTES];
    if (!has_ended(client))
        return rpctl_report_failure(line, RPCTL_EXIT_BUG, "the supervisor went away without an answer");
    snprintf(message, sizeof message, "the supervisor of service %s has ended", line->name);
    return rpctl_report_failure(line, RPCTL_EXIT_NO_SERVICE, message);
}
