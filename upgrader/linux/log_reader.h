/* Reads the log of a generation for a person: from its first whole line, or its last N lines, and on as it
 * grows.
 *
 * Owns one descriptor. The front of the file may be a hole (see log_file.h); a line that the hole has cut is
 * left out. Needs no supervisor. */
#ifndef RPCTL_LOG_READER_H
#define RPCTL_LOG_READER_H

#include <rp/error.h>
#include <stddef.h>
#include <sys/types.h>

struct rpctl_log_reader {
    int fd;
    off_t offset; /* the next byte to read */
};

/* The highest generation that has a log in the directory, above `after`. -ENOENT when there is none. */
int rpctl_log_reader_newest(int log_dir_fd, unsigned after, unsigned *ret_generation);

/* Opens the log of a generation at its first whole line. -ENOENT: no such log. */
int rpctl_log_reader_open(struct rpctl_log_reader *ret_reader, int log_dir_fd, unsigned generation,
                          struct rp_error *error);
void rpctl_log_reader_close(struct rpctl_log_reader *reader); /* idempotent */

/* Moves forward so that at most the last `lines` are left. An unfinished last line counts. */
int rpctl_log_reader_skip_to_last(struct rpctl_log_reader *reader, unsigned lines, struct rp_error *error);

/* Reads for a terminal: a log has what clients have sent, and no byte of it may steer the terminal of whoever
 * reads it (pure/printable.h). `text` has RPCTL_PRINTABLE_ESCAPE_BYTES times `size`; returns as below. */
ssize_t rpctl_log_reader_read_printable(struct rpctl_log_reader *reader, char *bytes, size_t size,
                                        char *text);

/* The next bytes; 0 at the present end of the file; a negative errno. */
ssize_t rpctl_log_reader_read(struct rpctl_log_reader *reader, char *bytes, size_t size);

#endif
