#include "linux/index_probe.h"

#include "linux/reuseport.h"
#include "linux/sock_diag.h"
#include "pure/group_model.h"
#include "pure/probe_match.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_MAX        64 /* probes in one program */
#define ROUNDS_MAX       12 /* a round repeats, with fresh probes, what the one before could not tell */
#define LOOKS_MAX        50 /* at the counters, one per millisecond; on loopback the first nearly always does */
#define DESTINATIONS_MAX 3
#define PROBE_HOPS       1 /* enough for loopback */
#define UNKNOWN          UINT16_MAX

/* One probe per index of a batch. */
struct batch {
    uint16_t indices[BATCH_MAX];
    int sockets[BATCH_MAX];
    struct rpctl_probe_match sources[BATCH_MAX];
    size_t count;
};

struct run {
    const struct rpctl_index_probe *probe;
    struct rp_address destination;
    uint16_t *order;
    int least_hops[RPCTL_GROUP_MAX]; /* of the listeners, before */
    uint32_t drops_before[RPCTL_GROUP_MAX];
    struct batch batch;
    struct rpctl_filter_program program;
};

enum sighting { SEEN, NOT_SEEN_YET, SEEN_TWICE };

/* The options that go with an address: what is sent, and the least that is taken. */
static void hop_options(const struct rp_address *destination, int *ret_level, int *ret_sent, int *ret_least)
{
    bool ipv4 = destination->storage.ss_family == AF_INET;

    *ret_level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    *ret_sent = ipv4 ? IP_TTL : IPV6_UNICAST_HOPS;
    *ret_least = ipv4 ? IP_MINTTL : IPV6_MINHOPCOUNT;
}

/* Puts back what the first `count` listeners had. */
static void restore_least_hops(const struct run *run, size_t count)
{
    int level, sent, least;

    hop_options(&run->destination, &level, &sent, &least);
    for (size_t i = 0; i < count; i++) {
        int value = run->least_hops[i];

        if (value <= PROBE_HOPS) setsockopt(run->probe->fds[i], level, least, &value, sizeof(value));
    }
}

/* Makes every listener drop the probes, but for those that are stricter already. */
static int raise_least_hops(struct run *run, struct rp_error *error)
{
    int level, sent, least;

    hop_options(&run->destination, &level, &sent, &least);
    for (size_t i = 0; i < run->probe->count; i++) {
        int fd = run->probe->fds[i], above = PROBE_HOPS + 1, before = 0;
        socklen_t length = sizeof(before);

        if (getsockopt(fd, level, least, &before, &length) != 0 ||
            (before <= PROBE_HOPS && setsockopt(fd, level, least, &above, sizeof(above)) != 0)) {
            int result = -errno;

            restore_least_hops(run, i);
            return rp_error_set(error, result,
                                "cannot learn the order of listeners: cannot set a least hop limit: %s",
                                strerror(-result));
        }
        run->least_hops[i] = before;
    }
    return 0;
}

static int read_drops(int fd, uint32_t *ret_drops)
{
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(values);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) != 0) return -errno;
    *ret_drops = values[SK_MEMINFO_DROPS];
    return 0;
}

static int remember_drops(struct run *run)
{
    for (size_t i = 0; i < run->probe->count; i++) {
        int result = read_drops(run->probe->fds[i], &run->drops_before[i]);

        if (result < 0) return result;
    }
    return 0;
}

static enum sighting look(const struct run *run, uint16_t *ret_position)
{
    enum sighting sighting = NOT_SEEN_YET;

    for (size_t i = 0; i < run->probe->count; i++) {
        uint32_t drops = run->drops_before[i];

        if (read_drops(run->probe->fds[i], &drops) < 0 || drops == run->drops_before[i]) continue;
        if (sighting == SEEN) return SEEN_TWICE;
        sighting = SEEN;
        *ret_position = (uint16_t)i;
    }
    return sighting;
}

/* Sends one SYN and finds out who dropped it. Writes UNKNOWN when it could not be told; -EHOSTUNREACH when
 * somebody else answered, or nobody saw it. */
static int send_probe(struct run *run, int fd, uint16_t *ret_position)
{
    const struct sockaddr *destination = (const struct sockaddr *)&run->destination.storage;
    struct pollfd answer = {.fd = fd, .events = POLLOUT};
    int result = remember_drops(run);

    *ret_position = UNKNOWN;
    if (result < 0) return result;
    if (connect(fd, destination, run->destination.length) == 0 || errno != EINPROGRESS) return -EHOSTUNREACH;
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        enum sighting sighting = look(run, ret_position);

        if (sighting == SEEN_TWICE) *ret_position = UNKNOWN;
        if (sighting != NOT_SEEN_YET) return 0;
        /* On loopback the SYN has arrived before connect() returns, unless softirqs run in threads of their
         * own. An answer means that it went to somebody else. */
        if (poll(&answer, 1, 1) > 0) return -EHOSTUNREACH;
    }
    return -EHOSTUNREACH;
}

static int open_probe(const struct rp_address *source, struct rpctl_probe_match *ret_match, int *ret_fd)
{
    int fd = socket(source->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof(ret_match->source);
    int hops = PROBE_HOPS;
    int level, sent, least;

    if (fd < 0) return -errno;
    hop_options(source, &level, &sent, &least);
    if (setsockopt(fd, level, sent, &hops, sizeof(hops)) != 0 ||
        bind(fd, (const struct sockaddr *)&source->storage, source->length) != 0 ||
        getsockname(fd, (struct sockaddr *)&ret_match->source, &length) != 0) {
        int result = -errno;

        close(fd);
        return result;
    }
    *ret_fd = fd;
    return 0;
}

static void close_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) close(batch->sockets[i]);
    batch->count = 0;
}

/* Opens a probe for each of the next indices that are unknown. */
static int open_batch(struct run *run, struct rp_error *error)
{
    struct batch *batch = &run->batch;
    struct rp_address source = run->destination;

    rp_address_set_port(&source, 0);
    batch->count = 0;
    for (size_t index = 0; index < run->probe->count && batch->count < BATCH_MAX; index++) {
        size_t slot = batch->count;
        int result;

        if (run->order[index] != UNKNOWN) continue;
        result = open_probe(&source, &batch->sources[slot], &batch->sockets[slot]);
        if (result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT) {
            close_batch(batch);
            return -EHOSTUNREACH;
        }
        if (result < 0) {
            close_batch(batch);
            return rp_error_set(error, result, "cannot open a probe socket: %s", strerror(-result));
        }
        batch->indices[slot] = (uint16_t)index;
        batch->sources[slot].index = (uint32_t)index;
        batch->count++;
    }
    return 0;
}

static int steer_probes(struct run *run, struct rp_error *error)
{
    int result;

    rpctl_filter_program_init(&run->program);
    rpctl_probe_match_emit(&run->program, run->batch.sources, run->batch.count);
    rpctl_filter_program_append(&run->program, run->probe->otherwise, run->probe->otherwise_length);
    result = rpctl_filter_program_check(&run->program);
    if (result < 0) return rp_error_set(error, result, "the steering program with its probes is too large");
    return rpctl_reuseport_attach(run->probe->fds[0], run->program.code, run->program.length, error);
}

/* Before their ports are free: whoever gets one of them would go where its probe went, perhaps to a listener
 * that is closed next. */
static int forget_probes(const struct run *run, struct rp_error *error)
{
    const struct rpctl_index_probe *probe = run->probe;

    return rpctl_reuseport_attach(probe->fds[0], probe->otherwise, probe->otherwise_length, error);
}

static int send_batch(struct run *run, struct rp_error *error)
{
    for (size_t i = 0; i < run->batch.count; i++) {
        int result = send_probe(run, run->batch.sockets[i], &run->order[run->batch.indices[i]]);

        if (result == -EHOSTUNREACH) return result;
        if (result < 0)
            return rp_error_set(error, result, "cannot read the drop counter of a listener (SO_MEMINFO): %s",
                                strerror(-result));
    }
    return 0;
}

static int run_batch(struct run *run, struct rp_error *error)
{
    struct rp_error second;
    int forgotten, result = open_batch(run, error);

    if (result < 0) return result;
    result = steer_probes(run, error);
    if (result == 0) {
        result = send_batch(run, error);
        forgotten = forget_probes(run, &second);
        if (result == 0 && forgotten < 0) result = rp_error_set(error, forgotten, "%s", second.message);
    }
    close_batch(&run->batch);
    return result;
}

/* Forgets every index at which a listener was seen that was seen elsewhere too. Returns how many indices are
 * unknown. */
static size_t forget_contradictions(struct run *run)
{
    unsigned seen[RPCTL_GROUP_MAX] = {0};
    size_t unknown = 0;

    for (size_t i = 0; i < run->probe->count; i++)
        if (run->order[i] != UNKNOWN) seen[run->order[i]]++;
    for (size_t i = 0; i < run->probe->count; i++) {
        if (run->order[i] != UNKNOWN && seen[run->order[i]] > 1) run->order[i] = UNKNOWN;
        if (run->order[i] == UNKNOWN) unknown++;
    }
    return unknown;
}

static int learn_in_rounds(struct run *run, struct rp_error *error)
{
    size_t rounds = ROUNDS_MAX + run->probe->count / BATCH_MAX;

    memset(run->order, 0xff, run->probe->count * sizeof(*run->order));
    while (rounds-- > 0) {
        int result = run_batch(run, error);

        if (result < 0) return result;
        if (forget_contradictions(run) == 0) return 0;
    }
    return -EAGAIN;
}

static int learn_via(struct run *run, struct rp_error *error)
{
    int result = raise_least_hops(run, error);

    if (result < 0) return result;
    result = learn_in_rounds(run, error);
    /* The probes are closed, so no SYN of theirs is sent a second time. */
    restore_least_hops(run, run->probe->count);
    return result;
}

static void set_destination(struct rp_address *destination, const struct rp_address *like,
                            const char *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&destination->storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&destination->storage;

    memset(destination, 0, sizeof(*destination));
    if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        destination->length = sizeof(*in);
    } else {
        in6->sin6_family = AF_INET6;
        in6->sin6_addr = in6addr_loopback;
        destination->length = sizeof(*in6);
    }
    rp_address_set_port(destination, rp_address_port(like));
}

/* Local addresses by which the group can be reached; a more exact listener may stand in front of the first.
 */
static size_t list_destinations(struct rp_address destinations[DESTINATIONS_MAX],
                                const struct rp_address *address)
{
    size_t count = 0;

    if (!rp_address_is_wildcard(address)) {
        destinations[count++] = *address;
        return count;
    }
    if (address->storage.ss_family == AF_INET6) set_destination(&destinations[count++], address, "::1");
    if (!address->v6only) {
        set_destination(&destinations[count++], address, "127.0.0.1");
        set_destination(&destinations[count++], address, "127.0.0.2");
    }
    return count;
}

static int explain(const struct rpctl_index_probe *probe, int code, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];

    rp_address_format(probe->address, text);
    if (code == -EHOSTUNREACH)
        return rp_error_set(
            error, code,
            "cannot learn the order of the listeners on %s: a local probe does not reach them: "
            "look for another listener on that port, or a firewall rule for loopback",
            text);
    if (code == -EAGAIN)
        return rp_error_set(
            error, code,
            "cannot learn the order of the listeners on %s: the answers contradict each other: "
            "the group changes or drops connections all the time: try again",
            text);
    return code;
}

int rpctl_index_probe_run(const struct rpctl_index_probe *probe, uint16_t *ret_order, struct rp_error *error)
{
    struct rp_address destinations[DESTINATIONS_MAX];
    size_t count = list_destinations(destinations, probe->address);
    struct run *run;
    int result = -EHOSTUNREACH;

    assert(probe->count > 0 && probe->count <= RPCTL_GROUP_MAX);
    run = calloc(1, sizeof(*run));
    if (!run) return rp_error_set(error, -ENOMEM, "cannot learn the order of listeners: out of memory");
    run->probe = probe;
    run->order = ret_order;
    for (size_t i = 0; result == -EHOSTUNREACH && i < count; i++) {
        run->destination = destinations[i];
        result = learn_via(run, error);
    }
    free(run);
    return explain(probe, result, error);
}
