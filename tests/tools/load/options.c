#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "rp-load: %s %s: %s\n", option, value, wanted);
    return -EINVAL;
}

static int parse_unsigned(const char *option, const char *text, unsigned max, unsigned *ret_value)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || value > max)
        return bad(option, text, "a whole number is wanted, and not too large a one");
    *ret_value = (unsigned)value;
    return 0;
}

/* "5s", "200ms"; returns the number of bytes taken, 0 when it is none. `unit` may be missing if allowed. */
static size_t scan_duration(const char *text, bool unit_optional, uint64_t *ret_ms)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') return 0;
    unsigned long value = strtoul(text, &end, 10);
    if (value > 86400000) return 0;
    *ret_ms = value;
    if (strncmp(end, "ms", 2) == 0) return (size_t)(end - text) + 2;
    if (unit_optional && *end != 's') return (size_t)(end - text);
    if (*end != 's') return 0;
    *ret_ms = value * 1000;
    return (size_t)(end - text) + 1;
}

static int parse_duration(const char *option, const char *text, uint64_t *ret_ms)
{
    size_t taken = scan_duration(text, false, ret_ms);
    if (taken == 0 || text[taken] != '\0') return bad(option, text, "a time such as 5s or 200ms is wanted");
    return 0;
}

static int parse_think(struct load_options *options, const char *text)
{
    size_t taken = scan_duration(text, true, &options->think_min_ms);
    size_t more = 0;
    if (taken > 0 && text[taken] == '-')
        more = scan_duration(text + taken + 1, false, &options->think_max_ms);
    if (more == 0 || text[taken + 1 + more] != '\0' || options->think_max_ms < options->think_min_ms)
        return bad("--think", text, "a range such as 0-20ms is wanted");
    return 0;
}

static bool is_loopback_v4(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    return address->ss_family == AF_INET && (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

static int parse_target(struct load_options *options, const char *text)
{
    char host[64];
    const char *wanted = "ADDR:PORT in numbers is wanted, [ADDR]:PORT for IPv6";
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *result = NULL;
    const char *colon = strrchr(text, ':');
    const char *begin = text;
    if (options->target_count == LOAD_TARGETS_MAX) return bad("--connect", text, "too many addresses");
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        begin++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(host)) return bad("--connect", text, wanted);
    memcpy(host, begin, length);
    host[length] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &result) != 0) return bad("--connect", text, wanted);
    struct load_target *target = &options->targets[options->target_count++];
    memcpy(&target->address, result->ai_addr, result->ai_addrlen);
    target->length = result->ai_addrlen;
    target->loopback_v4 = is_loopback_v4(&target->address);
    freeaddrinfo(result);
    return 0;
}

static int build_requests(struct load_options *options)
{
    static const char *const connection[] = {[LOAD_FRESH] = "close", [LOAD_KEEP_ALIVE] = "keep-alive"};
    for (unsigned i = 0; i < options->target_count; i++) {
        for (unsigned kind = 0; kind < LOAD_CLIENT_KINDS; kind++) {
            int length = snprintf(options->targets[i].request[kind], LOAD_REQUEST_BYTES,
                                  "GET %s HTTP/1.1\r\nHost: rp-load\r\nConnection: %s\r\n\r\n", options->path,
                                  connection[kind]);
            if (length >= LOAD_REQUEST_BYTES) return bad("--path", options->path, "too long");
        }
    }
    return 0;
}

static int parse_option(struct load_options *options, int option, const char *value)
{
    switch (option) {
    case 'c': return parse_target(options, value);
    case 'f': return parse_unsigned("--fresh", value, LOAD_CLIENTS_MAX, &options->clients[LOAD_FRESH]);
    case 'k':
        return parse_unsigned("--keep-alive", value, LOAD_CLIENTS_MAX, &options->clients[LOAD_KEEP_ALIVE]);
    case 's': return parse_unsigned("--sources", value, 250, &options->sources);
    case 't': return parse_duration("--timeout", value, &options->timeout_ms);
    case 'd': return parse_duration("--duration", value, &options->duration_ms);
    case 'w': return parse_think(options, value);
    case 'p': options->path = value; return 0;
    case 'j': options->json = true; return 0;
    case 'h': options->help = true; return 0;
    default: return -EINVAL;
    }
}

static int check(const struct load_options *options)
{
    if (options->target_count == 0) return bad("--connect", "is missing", "where to?");
    if (options->clients[LOAD_FRESH] + options->clients[LOAD_KEEP_ALIVE] == 0)
        return bad("--fresh", "and --keep-alive are 0", "at least one client is wanted");
    if (options->sources == 0) return bad("--sources", "0", "at least one is wanted");
    if (options->path[0] != '/') return bad("--path", options->path, "a path begins with /");
    return 0;
}

int load_options_parse(struct load_options *ret_options, int argc, char **argv)
{
    static const struct option names[] = {
        {"connect", required_argument, NULL, 'c'},
        {"fresh", required_argument, NULL, 'f'},
        {"keep-alive", required_argument, NULL, 'k'},
        {"sources", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"duration", required_argument, NULL, 'd'},
        {"think", required_argument, NULL, 'w'},
        {"path", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct load_options *options = ret_options;
    *options = (struct load_options){.sources = LOAD_SOURCES_DEFAULT,
                                     .path = "/",
                                     .timeout_ms = LOAD_TIMEOUT_MS,
                                     .think_max_ms = LOAD_THINK_MAX_MS};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        int error = parse_option(options, option, optarg);
        if (error < 0) return error;
    }
    if (options->help) return 0;
    if (optind < argc) return bad("argument", argv[optind], "options only");
    int error = check(options);
    return error < 0 ? error : build_requests(options);
}

void load_options_help(void)
{
    puts("usage: rp-load --connect ADDR:PORT [--connect …] [--fresh N] [--keep-alive N] [OPTIONS]\n"
         "  --connect ADDR:PORT  where to; several are used in turn by client number\n"
         "  --fresh N            clients that connect anew for every request\n"
         "  --keep-alive N       clients that keep their connection and think between requests\n"
         "  --think MIN-MAXms    how long those think, at random (0-20ms)\n"
         "  --path PATH          what to get (/); the greeting is checked for / only\n"
         "  --timeout TIME       for one request, connecting included (5s)\n"
         "  --duration TIME      end by itself (else: SIGTERM, or the end of standard input)\n"
         "  --sources N          source addresses 127.0.0.1 to 127.0.0.N of fresh clients (32)\n"
         "  --json               events and the result as JSON, one object per line\n"
         "On standard input: \"mark NAME\", \"answers N\", \"settle\", \"stop\". Exit: 0 no failure, 1 "
         "failures, 2 "
         "usage.");
}
