#include "pure/header_block.h"

#include "pure/http_head_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool name_allowed(const char *name)
{
    static const char *const reserved[] = {"connection", "content-length",    "date",   "keep-alive",
                                           "trailer",    "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcasecmp(name, reserved[i]) == 0) return false;
    }
    return rp_is_token(name, strlen(name));
}

static bool value_allowed(const char *value)
{
    size_t length = strlen(value);
    return rp_field_run(value, length) == length;
}

int rp_header_block_add(struct rp_buffer *block, const char *name, const char *value, size_t max_bytes)
{
    if (!name_allowed(name) || !value_allowed(value)) return -EINVAL;
    size_t before = block->length;
    size_t name_length = strlen(name);
    size_t value_length = strlen(value);
    if (name_length + value_length + 4 > max_bytes - before) return -ENOBUFS;
    if (rp_buffer_append(block, name, name_length) == 0 && rp_buffer_append(block, ": ", 2) == 0 &&
        rp_buffer_append(block, value, value_length) == 0 && rp_buffer_append(block, "\r\n", 2) == 0)
        return 0;
    block->length = before;
    return -ENOMEM;
}
