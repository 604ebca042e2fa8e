#include "linux/half_open.h"

#include "linux/sock_diag.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct marked {
    struct rp_address address;
    struct rpctl_diag_list pairs; /* sorted */
};

struct rpctl_half_open {
    size_t count;
    struct marked marked[];
};

static int compare_endpoints(const struct rpctl_endpoint *a, const struct rpctl_endpoint *b)
{
    int order = memcmp(a->address, b->address, sizeof(a->address));

    return order != 0 ? order : (int)a->port - (int)b->port;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct rpctl_diag_entry *a = left, *b = right;
    int order = compare_endpoints(&a->remote, &b->remote);

    if (order == 0) order = compare_endpoints(&a->local, &b->local);
    return order != 0 ? order : (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

static int list_sorted(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                       struct rp_error *error)
{
    int result = rpctl_sock_diag_half_open(address, ret_list, error);

    if (result == 0 && ret_list->count > 1)
        qsort(ret_list->entries, ret_list->count, sizeof(*ret_list->entries), compare_pairs);
    return result;
}

int rpctl_half_open_new(struct rpctl_half_open **ret_mark, const struct rp_address *addresses, size_t count,
                        struct rp_error *error)
{
    struct rpctl_half_open *mark;
    int result = 0;

    assert(count <= RP_ADDRESS_LIST_MAX);
    mark = calloc(1, sizeof(*mark) + count * sizeof(mark->marked[0]));
    if (!mark) return rp_error_set(error, -ENOMEM, "cannot mark half-open handshakes: out of memory");
    for (size_t i = 0; result == 0 && i < count; i++) {
        mark->marked[i].address = addresses[i];
        mark->count++;
        result = list_sorted(&addresses[i], &mark->marked[i].pairs, error);
    }
    if (result < 0)
        rpctl_half_open_free(mark);
    else
        *ret_mark = mark;
    return result;
}

void rpctl_half_open_free(struct rpctl_half_open *mark)
{
    if (!mark) return;
    for (size_t i = 0; i < mark->count; i++) rpctl_diag_list_free(&mark->marked[i].pairs);
    free(mark);
}

/* Keeps the pairs that are in `now` too. */
static void intersect(struct rpctl_diag_list *pairs, const struct rpctl_diag_list *now)
{
    size_t kept = 0;

    for (size_t i = 0; i < pairs->count && now->count > 0; i++)
        if (bsearch(&pairs->entries[i], now->entries, now->count, sizeof(*now->entries), compare_pairs))
            pairs->entries[kept++] = pairs->entries[i];
    pairs->count = kept;
}

int rpctl_half_open_left(struct rpctl_half_open *mark, size_t *ret_left, struct rp_error *error)
{
    size_t left = 0;

    for (size_t i = 0; i < mark->count; i++) {
        struct marked *marked = &mark->marked[i];
        struct rpctl_diag_list now = {0};
        int result;

        if (marked->pairs.count == 0) continue;
        result = list_sorted(&marked->address, &now, error);
        if (result < 0) return result;
        intersect(&marked->pairs, &now);
        rpctl_diag_list_free(&now);
        left += marked->pairs.count;
    }
    *ret_left = left;
    return 0;
}
