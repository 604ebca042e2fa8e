/* Intrusive doubly linked lists: a node sits inside the struct that is on the list.
 *
 * Owns nothing. A node that is on no list points to itself, so that removing is always allowed. Not
 * thread-safe. */
#ifndef RP_PURE_LIST_H
#define RP_PURE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rp_list {
    struct rp_list *next, *previous;
};

#define RP_LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* For a head and for a node. */
static inline void rp_list_init(struct rp_list *list)
{
    list->next = list->previous = list;
}

static inline bool rp_list_empty(const struct rp_list *list)
{
    return list->next == list;
}

static inline void rp_list_remove(struct rp_list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    rp_list_init(node);
}

/* The node must be on no list. */
static inline void rp_list_append(struct rp_list *head, struct rp_list *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

#endif
