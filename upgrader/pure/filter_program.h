/* A classic BPF program under construction.
 *
 * Owns its instructions, in place. Appending past the kernel's limit (BPF_MAXINSNS) does nothing but mark the
 * program as too large, so that the code that builds one needs a single check at its end. */
#ifndef RPCTL_FILTER_PROGRAM_H
#define RPCTL_FILTER_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpctl_filter_program {
    struct sock_filter code[BPF_MAXINSNS];
    size_t length;
    bool too_large;
};

void rpctl_filter_program_init(struct rpctl_filter_program *program);

/* A statement, or a conditional jump over the next `if_true` or `if_false` instructions. */
void rpctl_filter_program_add(struct rpctl_filter_program *program, unsigned code, uint32_t k);
void rpctl_filter_program_add_jump(struct rpctl_filter_program *program, unsigned code, uint32_t k,
                                   uint8_t if_true, uint8_t if_false);

/* An unconditional jump forward whose target is not known yet (conditional ones reach 255 instructions only,
 * this one any). Returns what rpctl_filter_program_land needs to make it arrive at the next instruction. */
size_t rpctl_filter_program_leap(struct rpctl_filter_program *program);
void rpctl_filter_program_land(struct rpctl_filter_program *program, size_t leap);

/* Appends a whole program; its jumps are relative and stay right. */
void rpctl_filter_program_append(struct rpctl_filter_program *program, const struct sock_filter *code,
                                 size_t length);

/* 0, or -E2BIG when it did not fit. */
int rpctl_filter_program_check(const struct rpctl_filter_program *program);

#endif
