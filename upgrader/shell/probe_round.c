#include "shell/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Theory. One round: every listener of the candidate gets one connection of its own, from a socket that was
 * bound before it connects, so that its exact source can stand in the steering program. In order:
 *
 *   list the listeners (job) -> bind a socket for each -> steer the probes (job) -> connect all, wait for all
 * answers
 *   -> take the probes out of the program (job) -> close the sockets -> PROBE_GOOD or PROBE_BAD
 *
 * The sockets are closed last: a source port that is free again must not lead anybody to an unproven release.
 * A round that is not wanted any more runs to its end all the same, unheard. When the listeners of a draining
 * generation were closed meanwhile, the probes were gone from the program and others may have answered: such
 * a round says nothing and is run again. */

struct probe {
    struct rpctl_probe_round *round;
    struct rp_address address;
    int fd; /* keeps the source port until the program has forgotten it */
};

struct rpctl_probe_round {
    struct rpctl_service *service;
    bool wanted;
    unsigned closes; /* of the service, when the probes were steered */
    struct rpctl_health health;
    unsigned count, open;
    bool good;
    char text[RPCTL_OPERATION_DETAIL_BYTES]; /* the last bad answer, or the last good one */
    struct probe probes[RP_LISTENERS_MAX];
    struct rpctl_groups_probe rules[RP_LISTENERS_MAX];
};

static void end_round(struct rpctl_probe_round *round)
{
    struct rpctl_service *service = round->service;
    bool wanted = round->wanted, good = round->good, disturbed = round->closes != service->closes;
    char text[RPCTL_OPERATION_DETAIL_BYTES];

    memcpy(text, round->text, sizeof text);
    for (unsigned i = 0; i < round->count; i++) close(round->probes[i].fd);
    if (service->round == round) service->round = NULL;
    service->rounds--;
    free(round);
    if (!wanted) return;
    if (disturbed) {
        rpctl_service_probe(service);
        return;
    }
    memcpy(service->probe_text, text, sizeof service->probe_text);
    if (good)
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    else
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_PROBE_BAD, "unhealthy: %s", text);
}

static void spoil(struct rpctl_probe_round *round, const char *text)
{
    round->good = false;
    snprintf(round->text, sizeof round->text, "%s", text);
}

static void on_taken_out(void *data, int status, const struct rp_error *error)
{
    struct rpctl_probe_round *round = data;

    /* Whatever is steered next replaces the whole program, probes and all. */
    if (status < 0) spoil(round, error->message);
    end_round(round);
}

static void take_out(struct rpctl_probe_round *round)
{
    if (rpctl_steering_probes(round->service, NULL, 0, on_taken_out, round) == 0) return;
    spoil(round, "no memory for a probe");
    end_round(round);
}

static void on_answer(const struct rpctl_check_result *result, void *data)
{
    struct probe *probe = data;
    struct rpctl_probe_round *round = probe->round;
    char address[RP_ADDRESS_TEXT_BYTES];
    char text[RPCTL_CHECK_TEXT_BYTES + RP_ADDRESS_TEXT_BYTES + 8];

    rp_address_format(&probe->address, address);
    snprintf(text, sizeof text, "%s: %s", address, result->text);
    if (!result->good)
        spoil(round, text);
    else if (round->good)
        snprintf(round->text, sizeof round->text, "%s", result->text);
    /* The port stays taken until the program has forgotten it; the server need not wait for that. */
    shutdown(probe->fd, SHUT_RDWR);
    round->open--;
    if (round->open == 0) take_out(round);
}

static int connect_probe(struct probe *probe)
{
    struct rpctl_probe_round *round = probe->round;
    struct rpctl_check_request request = {.target = probe->address,
                                          .kind = round->health.kind,
                                          .path = round->health.path,
                                          .timeout_ms = RPCTL_PROBE_TIMEOUT_MS};

    /* The check closes its descriptor when it is done; ours keeps the port. */
    request.bound_fd = fcntl(probe->fd, F_DUPFD_CLOEXEC, 3);
    if (request.bound_fd < 0) return -errno;
    return rpctl_check_start(&round->service->loop, &request, on_answer, probe, NULL);
}

static void on_steered(void *data, int status, const struct rp_error *error)
{
    struct rpctl_probe_round *round = data;

    round->closes = round->service->closes;
    if (status < 0) {
        spoil(round, error->message);
        end_round(round);
        return;
    }
    round->open = 1; /* until all have begun */
    for (unsigned i = 0; i < round->count; i++) {
        status = connect_probe(&round->probes[i]);
        if (status < 0)
            spoil(round, strerror(-status));
        else
            round->open++;
    }
    round->open--;
    if (round->open == 0) take_out(round);
}

/* A wildcard is probed over the loopback of its family. */
static struct rp_address source_for(const struct rp_address *address)
{
    struct rp_address source = *address;

    if (rp_address_is_wildcard(address)) {
        if (source.storage.ss_family == AF_INET)
            ((struct sockaddr_in *)&source.storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else
            ((struct sockaddr_in6 *)&source.storage)->sin6_addr = in6addr_loopback;
    }
    rp_address_set_port(&source, 0);
    return source;
}

static int bind_probe(struct probe *probe, struct sockaddr_storage *ret_source)
{
    struct rp_address source = source_for(&probe->address);
    socklen_t length = sizeof *ret_source;
    int fd = socket(source.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -errno;
    memset(ret_source, 0, sizeof *ret_source);
    if (bind(fd, (struct sockaddr *)&source.storage, source.length) < 0 ||
        getsockname(fd, (struct sockaddr *)ret_source, &length) < 0) {
        int status = -errno;

        close(fd);
        return status;
    }
    probe->fd = fd;
    return 0;
}

static int bind_all(struct rpctl_probe_round *round, const struct rpctl_groups_listener *listeners,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = &round->probes[i];
        int status;

        *probe = (struct probe){.round = round, .address = listeners[i].address};
        status = bind_probe(probe, &round->rules[i].source);
        if (status < 0) return status;
        round->rules[i].group = listeners[i].address;
        round->rules[i].listener = listeners[i].id;
        round->count++;
    }
    return 0;
}

static void on_listed(void *data, const struct rpctl_groups_listener *listeners, size_t count)
{
    struct rpctl_probe_round *round = data;
    int status = bind_all(round, listeners, count);

    if (status < 0 || count == 0) {
        spoil(round, status < 0 ? strerror(-status) : "it has no listeners any more");
        end_round(round);
        return;
    }
    status = rpctl_steering_probes(round->service, round->rules, round->count, on_steered, round);
    if (status == 0) return;
    spoil(round, strerror(-status));
    end_round(round);
}

void rpctl_service_probe(struct rpctl_service *service)
{
    struct rpctl_probe_round *round = calloc(1, sizeof *round);

    if (!round) {
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_PROBE_BAD, "no memory for a probe");
        return;
    }
    round->service = service;
    round->wanted = round->good = true;
    round->closes = service->closes;
    round->health = rpctl_generation_health(service->candidate);
    service->round = round;
    service->rounds++;
    if (rpctl_steering_list(service, service->candidate, on_listed, round) == 0) return;
    spoil(round, "no memory for a probe");
    end_round(round);
}

void rpctl_service_probe_cancel(struct rpctl_service *service)
{
    if (!service->round) return;
    service->round->wanted = false;
    service->round = NULL;
}

const char *rpctl_service_probe_text(const struct rpctl_service *service)
{
    return service->probe_text[0] ? service->probe_text : "no answer yet";
}
