/* The log of one generation: a file that its processes write themselves, and that we keep bounded and read.
 *
 * A pipe would kill the server when the supervisor dies. The writers append (O_APPEND), so the front of the
 * file can be freed under them by punching a hole: the size and all offsets stay. */
#ifndef RPCTL_LOG_FILE_H
#define RPCTL_LOG_FILE_H

#include <rp/error.h>
#include <stddef.h>
#include <stdint.h>

#define RPCTL_LOG_FILE_NAME_BYTES 40
#define RPCTL_LOG_FILE_LINE_BYTES 512 /* of one line of a tail, cut, with its terminator */
#define RPCTL_LOG_FILE_LINES_MAX  256
#define RPCTL_LOG_FILE_TAIL_BYTES 65536 /* how far back a tail looks */

struct rpctl_log_tail {
    size_t count;
    char (*lines)[RPCTL_LOG_FILE_LINE_BYTES]; /* printable UTF-8, without line ends; oldest first */
};

/* "generation-7.log" */
void rpctl_log_file_name(unsigned generation, char name[RPCTL_LOG_FILE_NAME_BYTES]);

/* Opens or makes the file: for appending and reading, 0600, no symlink, close-on-exec. */
int rpctl_log_file_open(int dir_fd, const char *name, int *ret_fd, struct rp_error *error);

/* The end of what is there, in bytes: the `from_offset` of a later tail. */
int rpctl_log_file_size(int fd, uint64_t *ret_bytes);

/* Frees the space of all but the last `keep_bytes`, in whole blocks. 0 also where the file system cannot. */
int rpctl_log_file_trim(int fd, uint64_t keep_bytes);

/* The last lines, `max_lines` (cut to RPCTL_LOG_FILE_LINES_MAX) at most, of what was written at `from_offset`
 * and behind; empty lines are left out. A line that has no end yet counts. Free with
 * rpctl_log_tail_done; without lines there is nothing to free. */
int rpctl_log_file_tail(int fd, uint64_t from_offset, size_t max_lines, struct rpctl_log_tail *ret_tail,
                        struct rp_error *error);

void rpctl_log_tail_done(struct rpctl_log_tail *tail); /* idempotent */

/* Removes the logs (by rpctl_log_file_name) of all but the `keep` highest generations; other files are left.
 */
int rpctl_log_file_prune(int dir_fd, unsigned keep, struct rp_error *error);

#endif
