#include "pure/filter_program.h"

#include <assert.h>
#include <errno.h>

void rpctl_filter_program_init(struct rpctl_filter_program *program)
{
    program->length = 0;
    program->too_large = false;
}

void rpctl_filter_program_add(struct rpctl_filter_program *program, unsigned code, uint32_t k)
{
    rpctl_filter_program_add_jump(program, code, k, 0, 0);
}

void rpctl_filter_program_add_jump(struct rpctl_filter_program *program, unsigned code, uint32_t k,
                                   uint8_t if_true, uint8_t if_false)
{
    if (program->length == BPF_MAXINSNS) {
        program->too_large = true;
        return;
    }
    program->code[program->length++] = (struct sock_filter){(uint16_t)code, if_true, if_false, k};
}

size_t rpctl_filter_program_leap(struct rpctl_filter_program *program)
{
    size_t leap = program->length;

    rpctl_filter_program_add(program, BPF_JMP | BPF_JA, 0);
    return leap;
}

void rpctl_filter_program_land(struct rpctl_filter_program *program, size_t leap)
{
    if (program->too_large) return;
    assert(leap < program->length);
    program->code[leap].k = (uint32_t)(program->length - leap - 1);
}

void rpctl_filter_program_append(struct rpctl_filter_program *program, const struct sock_filter *code,
                                 size_t length)
{
    for (size_t i = 0; i < length; i++)
        rpctl_filter_program_add_jump(program, code[i].code, code[i].k, code[i].jt, code[i].jf);
}

int rpctl_filter_program_check(const struct rpctl_filter_program *program)
{
    return program->too_large ? -E2BIG : 0;
}
