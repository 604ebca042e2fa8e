#include "pure/steering.h"

#include "pure/group_model.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define RANDOM      ((uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM))
#define LOAD_RANDOM (BPF_LD | BPF_W | BPF_ABS)
#define ADD_TO_A    (BPF_ALU | BPF_ADD | BPF_K)
#define JUMP_FROM   (BPF_JMP | BPF_JGE | BPF_K)

static bool takes_part(const struct rpctl_steering_share *share)
{
    return share->weight > 0 && share->count > 0;
}

/* A = a random number below `limit`. */
static void emit_draw(struct rpctl_filter_program *program, uint32_t limit)
{
    rpctl_filter_program_add(program, LOAD_RANDOM, RANDOM);
    rpctl_filter_program_add(program, BPF_ALU | BPF_MOD | BPF_K, limit);
}

/* A is a position among the indices in ascending order; `end` is the position behind this run of consecutive
 * indices, `distance` what lies between a position in it and its index. */
static void emit_run(struct rpctl_filter_program *program, size_t end, size_t distance, bool is_last)
{
    if (!is_last) rpctl_filter_program_add_jump(program, JUMP_FROM, (uint32_t)end, 2, 0);
    rpctl_filter_program_add(program, ADD_TO_A, (uint32_t)distance);
    rpctl_filter_program_add(program, BPF_RET | BPF_A, 0);
}

static void emit_uniform(struct rpctl_filter_program *program, const struct rpctl_steering_share *share)
{
    bool member[RPCTL_GROUP_MAX] = {false};
    size_t position = 0, index = 0;

    for (size_t i = 0; i < share->count; i++) {
        assert(share->indices[i] < RPCTL_GROUP_MAX && !member[share->indices[i]]);
        member[share->indices[i]] = true;
    }
    if (share->count == 1) {
        rpctl_filter_program_add(program, BPF_RET | BPF_K, share->indices[0]);
        return;
    }
    emit_draw(program, (uint32_t)share->count);
    while (position < share->count) {
        size_t distance;

        while (!member[index]) index++;
        distance = index - position;
        while (index < RPCTL_GROUP_MAX && member[index]) index++;
        position = index - distance;
        emit_run(program, position, distance, position == share->count);
    }
}

static void emit_choice(struct rpctl_filter_program *program, const struct rpctl_steering_share *shares,
                        size_t count, uint32_t total)
{
    uint32_t end = 0;

    if (shares[0].weight != total) emit_draw(program, total);
    for (size_t i = 0; i < count; i++) {
        size_t leap;

        end += shares[i].weight;
        if (end == total) {
            emit_uniform(program, &shares[i]);
            continue;
        }
        rpctl_filter_program_add_jump(program, JUMP_FROM, end, 0, 1);
        leap = rpctl_filter_program_leap(program);
        emit_uniform(program, &shares[i]);
        rpctl_filter_program_land(program, leap);
    }
}

int rpctl_steering_compile(struct rpctl_filter_program *ret_program,
                           const struct rpctl_steering_share *shares, size_t share_count,
                           const struct rpctl_probe_match *probes, size_t probe_count)
{
    struct rpctl_steering_share parts[RPCTL_STEERING_SHARES_MAX];
    size_t part_count = 0;
    uint32_t total = 0;

    assert(share_count <= RPCTL_STEERING_SHARES_MAX);
    for (size_t i = 0; i < share_count; i++) {
        assert(shares[i].weight <= RPCTL_STEERING_WEIGHT_MAX);
        if (!takes_part(&shares[i])) continue;
        parts[part_count++] = shares[i];
        total += shares[i].weight;
    }
    if (part_count == 0) return -EINVAL;
    rpctl_filter_program_init(ret_program);
    rpctl_probe_match_emit(ret_program, probes, probe_count);
    emit_choice(ret_program, parts, part_count, total);
    return rpctl_filter_program_check(ret_program);
}
