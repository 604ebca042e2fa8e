#include "pure/probe_match.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define NETWORK(offset)  ((uint32_t)SKF_NET_OFF + (uint32_t)(offset))
#define ETHERTYPE        ((uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
#define LOAD_WORD        (BPF_LD | BPF_W | BPF_ABS)
#define LOAD_HALF        (BPF_LD | BPF_H | BPF_ABS)
#define LOAD_BYTE        (BPF_LD | BPF_B | BPF_ABS)
#define JUMP_EQUAL       (BPF_JMP | BPF_JEQ | BPF_K)
#define IPV4_NO_OPTIONS  0x45 /* version 4, header of 5 words */
#define IPV4_HEADER      20
#define IPV6_HEADER      40
#define IPV6_NEXT_HEADER 6

/* An address as the words that stand in the header. */
struct source {
    int family;
    uint32_t words[4];
    size_t word_count;
    uint16_t port;
};

static uint32_t word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static struct source source_of(const struct sockaddr_storage *storage)
{
    struct source source = {.family = storage->ss_family};

    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;

        source.words[source.word_count++] = ntohl(in->sin_addr.s_addr);
        source.port = ntohs(in->sin_port);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

        source.family = mapped ? AF_INET : AF_INET6;
        for (size_t byte = mapped ? 12 : 0; byte < 16; byte += 4)
            source.words[source.word_count++] = word_at(in6->sin6_addr.s6_addr + byte);
        source.port = ntohs(in6->sin6_port);
    }
    return source;
}

static bool same_address(const struct source *a, const struct source *b)
{
    return a->family == b->family && memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

/* Tests one address, then the ports of all matches from `first` on that share it; returns the first that does
 * not. */
static size_t emit_address(struct rpctl_filter_program *program, const struct rpctl_probe_match *matches,
                           size_t first, size_t count)
{
    struct source source = source_of(&matches[first].source);
    uint32_t address_offset = source.family == AF_INET ? 12 : 8;
    uint32_t port_offset = source.family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
    size_t leaps[4];
    size_t next = first;

    for (size_t i = 0; i < source.word_count; i++) {
        rpctl_filter_program_add(program, LOAD_WORD, NETWORK(address_offset + 4 * i));
        rpctl_filter_program_add_jump(program, JUMP_EQUAL, source.words[i], 1, 0);
        leaps[i] = rpctl_filter_program_leap(program);
    }
    rpctl_filter_program_add(program, LOAD_HALF, NETWORK(port_offset));
    for (; next < count; next++) {
        struct source other = source_of(&matches[next].source);

        if (!same_address(&source, &other)) break;
        rpctl_filter_program_add_jump(program, JUMP_EQUAL, other.port, 0, 1);
        rpctl_filter_program_add(program, BPF_RET | BPF_K, matches[next].index);
    }
    for (size_t i = 0; i < source.word_count; i++) rpctl_filter_program_land(program, leaps[i]);
    return next;
}

static void emit_family(struct rpctl_filter_program *program, int family,
                        const struct rpctl_probe_match *matches, size_t count)
{
    for (size_t i = 0; i < count;) {
        if (source_of(&matches[i].source).family == family)
            i = emit_address(program, matches, i, count);
        else
            i++;
    }
}

static bool has_family(int family, const struct rpctl_probe_match *matches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (source_of(&matches[i].source).family == family) return true;
    return false;
}

static void emit_ipv4(struct rpctl_filter_program *program, const struct rpctl_probe_match *matches,
                      size_t count)
{
    size_t not_ipv4, has_options;

    rpctl_filter_program_add(program, LOAD_HALF, ETHERTYPE);
    rpctl_filter_program_add_jump(program, JUMP_EQUAL, ETH_P_IP, 1, 0);
    not_ipv4 = rpctl_filter_program_leap(program);
    rpctl_filter_program_add(program, LOAD_BYTE, NETWORK(0));
    rpctl_filter_program_add_jump(program, JUMP_EQUAL, IPV4_NO_OPTIONS, 1, 0);
    has_options = rpctl_filter_program_leap(program);
    emit_family(program, AF_INET, matches, count);
    rpctl_filter_program_land(program, not_ipv4);
    rpctl_filter_program_land(program, has_options);
}

static void emit_ipv6(struct rpctl_filter_program *program, const struct rpctl_probe_match *matches,
                      size_t count)
{
    size_t not_ipv6, has_extensions;

    rpctl_filter_program_add(program, LOAD_HALF, ETHERTYPE);
    rpctl_filter_program_add_jump(program, JUMP_EQUAL, ETH_P_IPV6, 1, 0);
    not_ipv6 = rpctl_filter_program_leap(program);
    rpctl_filter_program_add(program, LOAD_BYTE, NETWORK(IPV6_NEXT_HEADER));
    rpctl_filter_program_add_jump(program, JUMP_EQUAL, IPPROTO_TCP, 1, 0);
    has_extensions = rpctl_filter_program_leap(program);
    emit_family(program, AF_INET6, matches, count);
    rpctl_filter_program_land(program, not_ipv6);
    rpctl_filter_program_land(program, has_extensions);
}

void rpctl_probe_match_emit(struct rpctl_filter_program *program, const struct rpctl_probe_match *matches,
                            size_t count)
{
    if (has_family(AF_INET, matches, count)) emit_ipv4(program, matches, count);
    if (has_family(AF_INET6, matches, count)) emit_ipv6(program, matches, count);
}
