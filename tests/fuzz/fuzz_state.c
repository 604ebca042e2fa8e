/* The document that a supervisor leaves: what is accepted is written, read and written again, the same to the
 * byte. */
#include "fuzz.h"
#include "pure/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpctl_state first, second;
    struct rp_error error;
    char *text, *again;
    size_t length, length_again;

    if (rpctl_state_decode(&first, (const char *)data, size, &error) < 0) return 0;
    assert(rpctl_state_encode(&first, &text, &length, &error) == 0);
    assert(rpctl_state_decode(&second, text, length, &error) == 0);
    assert(first.generation_count == second.generation_count && first.group_count == second.group_count);
    assert(rpctl_state_encode(&second, &again, &length_again, &error) == 0);
    assert(length == length_again && memcmp(text, again, length) == 0);
    free(again);
    free(text);
    rpctl_state_done(&second);
    rpctl_state_done(&first);
    return 0;
}
