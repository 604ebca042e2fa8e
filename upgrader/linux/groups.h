/* All SO_REUSEPORT groups of one service: who is in them, in which order, what is steered, and how listeners
 * leave.
 *
 * Owns a duplicate of every listener and the model of each group. Does not own the kernel's groups: what is
 * freed here leaves the program and the processes' own descriptors as they are.
 *
 * Everything is synchronous and not thread-safe: one thread at a time. Calls that touch the kernel take from
 * some microseconds to, where a grace period is involved, some ten milliseconds.
 *
 * The order of calls in an upgrade: add … learn, steer (pin); the new process starts; add its listeners,
 * learn, check_shape; steer with probes; steer (shift), settle; half_open_mark, queue and half_open_left
 * until empty; when the old process has gone: close_generation; detach. Nobody else may steer these groups
 * meanwhile. */
#ifndef RPCTL_GROUPS_H
#define RPCTL_GROUPS_H

#include "linux/half_open.h"
#include "pure/state.h"

#include <rp/address.h>
#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RPCTL_GROUPS_MAX        RP_ADDRESS_LIST_MAX /* addresses of one service */
#define RPCTL_GROUPS_SHARES_MAX 16                  /* generations that are served at once */
#define RPCTL_GROUPS_NOBODY     0 /* owns listeners that nobody will serve again; no generation's number */

struct rpctl_groups;

struct rpctl_share {
    unsigned generation;
    unsigned weight; /* relative to the others, at most RPCTL_STEERING_WEIGHT_MAX; 0 gets nothing */
};

/* Connections from exactly this source to this group go to this listener. */
struct rpctl_groups_probe {
    struct sockaddr_storage source; /* address and port */
    struct rp_address group;
    uint64_t listener; /* id */
};

struct rpctl_groups_queue {
    unsigned waiting;   /* connections nobody has accepted yet */
    unsigned listeners; /* over which they spread */
};

struct rpctl_groups_closed {
    unsigned listeners; /* closed */
    /* Connections that stood in their queues: reset, or with net.ipv4.tcp_migrate_req moved to another
     * listener. 0 after a good quiesce. */
    unsigned queued;
};

struct rpctl_groups_listener {
    int fd;      /* the duplicate, stays ours */
    uint64_t id; /* inode */
    unsigned generation;
    unsigned instance;
    struct rp_address address;
};

int rpctl_groups_new(struct rpctl_groups **ret_groups, struct rp_error *error);
void rpctl_groups_free(struct rpctl_groups *groups); /* NULL is fine */

/* Takes a listener over: `fd` is ours from here on, also after an error. A socket that is known already is
 * closed again and its owner updated, so a process may send its listeners as often as it likes and may be
 * given those of a dead one. Errors: those of rpctl_tcp_listener_inspect, -ENOSPC (RPCTL_GROUP_MAX,
 * RPCTL_GROUPS_MAX), -ENOMEM. */
int rpctl_groups_add(struct rpctl_groups *groups, int fd, unsigned generation, unsigned instance,
                     struct rp_error *error);

/* Says whether somebody accepts from the listeners of an instance, as is taken for granted at first. Those
 * that wait for another process keep what stands in their queues and get nothing new: of a generation's
 * listeners in a group only those that are served are steered to, as long as there is one. In force with the
 * next steering. */
void rpctl_groups_set_served(struct rpctl_groups *groups, unsigned generation, unsigned instance,
                             bool served);

/* Takes the listeners of an instance away from its generation: they belong to RPCTL_GROUPS_NOBODY, are not
 * steered to from the next steering on, and may be closed like a generation. */
void rpctl_groups_disown(struct rpctl_groups *groups, unsigned generation, unsigned instance);

/* True when, without steering, some connections would come to listeners that nobody serves, beside others
 * that are served. */
bool rpctl_groups_need_steering(const struct rpctl_groups *groups);

/* Compares each group's members with the kernel's list. -EEXIST for a listener that nobody has handed over,
 * named with inode, user and, where it can be seen, process; -ESTALE for one of ours that has left the group
 * because its process shut it down (rpctl_groups_learn takes it out). */
int rpctl_groups_verify(struct rpctl_groups *groups, struct rp_error *error);

/* Takes listeners that were shut down out, verifies, and learns the order of every group by probing (see
 * linux/index_probe.h for further errors). All other traffic goes on as it was steered last through this
 * object, or over all present members when nothing was. */
int rpctl_groups_learn(struct rpctl_groups *groups, struct rp_error *error);

/* Steers every group in which one of the shares has listeners; the others are left alone. All or nothing:
 * when one group fails, those done before are put back. The shares are remembered; probes are forgotten at
 * the next steering or closing.
 *
 * The order must have been learnt since the last add, but for one case: a group that is wholly one generation
 * can be pinned to it unseen. -ESTALE when it is unknown, -ENOENT for a probe to a listener that is not
 * there, -EINVAL when no group has listeners of any share. At most RPCTL_GROUPS_SHARES_MAX shares. */
int rpctl_groups_steer(struct rpctl_groups *groups, const struct rpctl_share *shares, size_t share_count,
                       const struct rpctl_groups_probe *probes, size_t probe_count, struct rp_error *error);

/* After it no packet is under way any more that was steered by an earlier program. Before looking at what is
 * left in queues and handshakes, and before closing anything. */
int rpctl_groups_settle(const struct rpctl_groups *groups, struct rp_error *error);

/* The accept queues of one instance of a generation, in sum. */
int rpctl_groups_queue(const struct rpctl_groups *groups, unsigned generation, unsigned instance,
                       struct rpctl_groups_queue *ret_queue, struct rp_error *error);

/* Marks the handshakes that are half-open now in the groups in which the generation listens; see half_open.h.
 */
int rpctl_groups_half_open_mark(const struct rpctl_groups *groups, unsigned generation,
                                struct rpctl_half_open **ret_mark, struct rp_error *error);

/* May old give way to new? -EADDRNOTAVAIL when new does not listen on an address of old (unless allow_drop),
 * -EXDEV when a group has one new listener and several others, which cannot be closed without a window in
 * which connections are lost. Both name the address and the remedy. */
int rpctl_groups_check_shape(const struct rpctl_groups *groups, unsigned old_generation,
                             unsigned new_generation, bool allow_drop, struct rp_error *error);

/* Can a new version listen beside this generation? -ENOPROTOOPT names a listener of it that has lost
 * SO_REUSEPORT: then bind() fails for everybody else. */
int rpctl_groups_check_shareable(const struct rpctl_groups *groups, unsigned generation,
                                 struct rp_error *error);

/* The processes of the generation have closed its listeners, or are about to: as long as some of those are in
 * a group, everything that is steered goes only where it would still go right if this process ended
 * (pure/safe_indices.h). Where there is no such listener, it goes to all: then the end of this process loses
 * connections. `doomed` false takes it back. In force at once; what the kernel refuses stays as it was. */
int rpctl_groups_doom(struct rpctl_groups *groups, unsigned generation, bool doomed, struct rp_error *error);

/* Does one of these processes, or of their descendants, have a listener of the generation open? */
int rpctl_groups_is_held(const struct rpctl_groups *groups, unsigned generation, const pid_t *pids,
                         size_t pid_count, bool *ret_held, struct rp_error *error);

/* Is that listener in a group? */
bool rpctl_groups_has(const struct rpctl_groups *groups, uint64_t id);

/* Takes the listeners of a generation that gets nothing out of sight of every new connection, for good
 * (rpctl_listener_hide). Nothing is hidden that is not in a group yet. */
void rpctl_groups_hide(struct rpctl_groups *groups, unsigned generation);

/* Closes every listener of a generation in an order, and with steering around each, that no new connection
 * falls on one that nobody serves (pure/close_plan.h). At the end the remembered shares are in force with
 * right indices.
 *
 * Preconditions: `serving` has a weight in the remembered shares and `generation` has none (asserted: a
 * listener that may still be chosen is never closed); a settle lies behind; its queues and handshakes are
 * empty, or given up; no process holds one of them open. They are doomed from here on. With serving = 0
 * nothing is steered: for the end of a service.
 *
 * A listener is first taken out of sight (rpctl_listener_hide), then shut down and not just closed, so
 * that it leaves the group now, whoever else holds a descriptor of it: a forgotten grandchild, or the process
 * itself. No process may be between listen() and the add of its listeners meanwhile: -EEXIST when one is, or
 * when a stranger is in a group that is steered; in one that is not, it is left alone. On
 * an error what has been closed is counted, the rest is still ours, steering is right for it, and the call
 * may be repeated. */
int rpctl_groups_close_generation(struct rpctl_groups *groups, unsigned generation, unsigned serving,
                                  struct rpctl_groups_closed *ret_closed, struct rp_error *error);

/* Gives the groups back to the kernel's own hash. -EBUSY when a group has listeners of two
 * generations, or some that wait for a process beside others that are served; verifies before. All or
 * nothing. Nothing is remembered afterwards. */
int rpctl_groups_detach(struct rpctl_groups *groups, struct rp_error *error);

/* Queries. The lists are in the order of the groups, within a group in that of the indices as believed; at
 * most `max` are written, the number there are is returned. */
size_t rpctl_groups_count(const struct rpctl_groups *groups);
size_t rpctl_groups_listener_count(const struct rpctl_groups *groups, unsigned generation);
/* One of them is out of sight: it has begun to leave, and cannot serve any more. */
bool rpctl_groups_is_hidden(const struct rpctl_groups *groups, unsigned generation);
/* Whose listeners they are: the kernel lets one user into a group. -1 when the generation has none. */
uid_t rpctl_groups_user(const struct rpctl_groups *groups, unsigned generation);
size_t rpctl_groups_addresses(const struct rpctl_groups *groups, unsigned generation,
                              struct rp_address *ret_addresses, size_t max);
size_t rpctl_groups_listeners(const struct rpctl_groups *groups, unsigned generation, unsigned instance,
                              struct rpctl_groups_listener *ret_listeners, size_t max);

/* What is known of the groups, for a state: at most RPCTL_STATE_GROUPS_MAX. The lists of listeners are the
 * caller's, freed with rpctl_state_groups_free also after -ENOMEM; each `fd` is the duplicate. */
int rpctl_groups_describe(const struct rpctl_groups *groups, struct rpctl_state_group *ret_groups,
                          size_t *ret_count);
/* A copy with lists of its own: free the lists, then the array. -ENOMEM. */
int rpctl_state_groups_copy(const struct rpctl_state_group *groups, size_t count,
                            struct rpctl_state_group **ret_copy);
void rpctl_state_groups_free(struct rpctl_state_group *groups, size_t count);

/* Takes a recorded order for the true one: its listeners first, as recorded, then those that have come since.
 * Where that is one, it stands last; where they are more, their places among each other are open, and what is
 * steered to them would go astray, until rpctl_groups_learn. False, and nothing is taken, when a recorded
 * listener is not there any more: then the order has changed since. */
bool rpctl_groups_assume_order(struct rpctl_groups *groups, const struct rpctl_state_group *recorded,
                               size_t count);

#endif
