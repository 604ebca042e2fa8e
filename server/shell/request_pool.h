/* Memory of requests that are over, for those that come: a request on a warm worker allocates nothing.
 *
 * One pool per worker, used on its thread only. Owns the spare requests, each a block of one size, and the
 * memory of their own headers. A request whose head does not fit that size is allocated and freed as it
 * comes and goes. Spares are poisoned for AddressSanitizer, so that a use after the end is seen as ever. */
#ifndef RP_SHELL_REQUEST_POOL_H
#define RP_SHELL_REQUEST_POOL_H

#include <stddef.h>

#define RP_REQUEST_SPARE_BYTES 4096 /* the request, its headers and its head */
#define RP_REQUEST_SPARES_MAX  64

struct rp_request;

struct rp_request_pool {
    struct rp_request *spares;
    unsigned count;
};

/* At least `bytes`, or NULL. Nothing of it is set but `block_bytes` and `own_headers`, which is empty. */
struct rp_request *rp_request_pool_take(struct rp_request_pool *pool, size_t bytes);

void rp_request_pool_give(struct rp_request_pool *pool, struct rp_request *request);

void rp_request_pool_free(struct rp_request_pool *pool);

#endif
