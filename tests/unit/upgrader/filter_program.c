#include "pure/filter_program.h"

#include "pure/probe_match.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>

Test(filter_program, keeps_what_is_added)
{
    struct rpctl_filter_program program, whole;

    rpctl_filter_program_init(&program);
    rpctl_filter_program_add(&program, BPF_LD | BPF_IMM, 5);
    rpctl_filter_program_add_jump(&program, BPF_JMP | BPF_JEQ | BPF_K, 5, 1, 2);
    cr_assert_eq(program.length, 2);
    cr_assert_eq(program.code[1].jt, 1);
    cr_assert_eq(program.code[1].jf, 2);
    rpctl_filter_program_init(&whole);
    rpctl_filter_program_add(&whole, BPF_RET | BPF_K, 1);
    rpctl_filter_program_append(&whole, program.code, program.length);
    cr_assert_eq(whole.length, 3);
    cr_assert_arr_eq(whole.code + 1, program.code, 2 * sizeof(program.code[0]));
    cr_assert_eq(rpctl_filter_program_check(&whole), 0);
}

Test(filter_program, a_leap_lands_on_the_next_instruction)
{
    struct rpctl_filter_program program;
    size_t leap;

    rpctl_filter_program_init(&program);
    leap = rpctl_filter_program_leap(&program);
    for (int i = 0; i < 300; i++) rpctl_filter_program_add(&program, BPF_LD | BPF_IMM, 0);
    rpctl_filter_program_land(&program, leap);
    cr_assert_eq(program.code[leap].k, 300);
}

Test(filter_program, says_when_it_is_full)
{
    struct rpctl_filter_program program;
    size_t leap;

    rpctl_filter_program_init(&program);
    for (int i = 0; i < BPF_MAXINSNS; i++) rpctl_filter_program_add(&program, BPF_RET | BPF_K, 0);
    cr_assert_eq(rpctl_filter_program_check(&program), 0);
    leap = rpctl_filter_program_leap(&program);
    rpctl_filter_program_land(&program, leap);
    cr_assert_eq(rpctl_filter_program_check(&program), -E2BIG);
    cr_assert_eq(program.length, BPF_MAXINSNS);
}

static struct rpctl_probe_match match4(const char *ip, uint16_t port, uint32_t index)
{
    struct rpctl_probe_match match = {.index = index};
    struct sockaddr_in *in = (struct sockaddr_in *)&match.source;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, ip, &in->sin_addr);
    return match;
}

static struct rpctl_probe_match match6(const char *ip, uint16_t port, uint32_t index)
{
    struct rpctl_probe_match match = {.index = index};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&match.source;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    inet_pton(AF_INET6, ip, &in6->sin6_addr);
    return match;
}

static size_t emitted_length(const struct rpctl_probe_match *matches, size_t count)
{
    struct rpctl_filter_program program;

    rpctl_filter_program_init(&program);
    rpctl_probe_match_emit(&program, matches, count);
    return program.length;
}

Test(probe_match, no_probe_costs_nothing)
{
    cr_assert_eq(emitted_length(NULL, 0), 0);
}

Test(probe_match, probes_that_share_an_address_cost_two_instructions_each)
{
    struct rpctl_probe_match v4[] = {match4("127.0.0.1", 1, 0), match4("127.0.0.1", 2, 1)};
    struct rpctl_probe_match v6[] = {match6("::1", 1, 0), match6("::1", 2, 1)};
    struct rpctl_probe_match mapped[] = {match6("::ffff:127.0.0.1", 1, 0)};
    struct rpctl_probe_match mixed[] = {v4[0], v6[0], v4[1]};

    cr_assert_eq(emitted_length(v4, 2), emitted_length(v4, 1) + 2);
    cr_assert_eq(emitted_length(v6, 2), emitted_length(v6, 1) + 2);
    cr_assert_eq(emitted_length(mapped, 1), emitted_length(v4, 1));
    cr_assert_gt(emitted_length(mixed, 3), emitted_length(v4, 2) + emitted_length(v6, 1));
}

Test(probe_match, too_many_are_refused)
{
    static struct rpctl_probe_match matches[BPF_MAXINSNS];
    static struct rpctl_filter_program program;

    for (uint32_t i = 0; i < BPF_MAXINSNS; i++) matches[i] = match4("127.0.0.1", (uint16_t)i, 0);
    rpctl_filter_program_init(&program);
    rpctl_probe_match_emit(&program, matches, BPF_MAXINSNS);
    cr_assert_eq(rpctl_filter_program_check(&program), -E2BIG);
}
