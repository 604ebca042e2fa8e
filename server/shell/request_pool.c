#include "shell/request_pool.h"

#include "shell/exchange.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>

static struct rp_request *pop(struct rp_request_pool *pool)
{
    struct rp_request *request = pool->spares;
    ASAN_UNPOISON_MEMORY_REGION(request, RP_REQUEST_SPARE_BYTES);
    pool->spares = request->next_spare;
    pool->count--;
    return request;
}

static void push(struct rp_request_pool *pool, struct rp_request *request)
{
    request->next_spare = pool->spares;
    pool->spares = request;
    pool->count++;
    ASAN_POISON_MEMORY_REGION(request, RP_REQUEST_SPARE_BYTES);
}

struct rp_request *rp_request_pool_take(struct rp_request_pool *pool, size_t bytes)
{
    if (bytes <= RP_REQUEST_SPARE_BYTES) {
        if (pool->spares) return pop(pool);
        bytes = RP_REQUEST_SPARE_BYTES;
    }
    struct rp_request *request = malloc(bytes);
    if (!request) return NULL;
    request->block_bytes = bytes;
    request->own_headers = (struct rp_buffer){0};
    return request;
}

static void destroy(struct rp_request *request)
{
    rp_buffer_free(&request->own_headers);
    free(request);
}

void rp_request_pool_give(struct rp_request_pool *pool, struct rp_request *request)
{
    if (request->block_bytes != RP_REQUEST_SPARE_BYTES || pool->count == RP_REQUEST_SPARES_MAX) {
        destroy(request);
        return;
    }
    rp_buffer_clear(&request->own_headers, RP_REQUEST_SPARE_BYTES);
    push(pool, request);
}

void rp_request_pool_free(struct rp_request_pool *pool)
{
    while (pool->spares) destroy(pop(pool));
}
