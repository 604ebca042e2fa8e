/* An answer to a health check: what becomes of it does not depend on the pieces in which it came. The first
 * byte says how long they are. */
#include "fuzz.h"
#include "pure/http_answer.h"

#include <assert.h>
#include <string.h>

static void feed(struct rpctl_http_answer *answer, const char *bytes, size_t length, size_t piece)
{
    rpctl_http_answer_init(answer);
    for (size_t at = 0; at < length; at += piece)
        rpctl_http_answer_feed(answer, bytes + at, piece < length - at ? piece : length - at);
}

static void expect_same(struct rpctl_http_answer *left, struct rpctl_http_answer *right)
{
    assert(left->state == right->state);
    if (left->state == RPCTL_HTTP_ANSWER_GARBAGE) assert(strcmp(left->fault, right->fault) == 0);
    if (left->state == RPCTL_HTTP_ANSWER_LENGTH) assert(left->left_bytes <= left->body_bytes);
    assert(rpctl_http_answer_finish(left) == rpctl_http_answer_finish(right));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rpctl_http_answer whole, pieces;

    if (size < 2) return 0;
    feed(&whole, (const char *)data + 1, size - 1, size - 1);
    feed(&pieces, (const char *)data + 1, size - 1, 1 + (size_t)data[0] % 64);
    expect_same(&whole, &pieces);
    return 0;
}
