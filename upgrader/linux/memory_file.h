/* Text in a file that has no name and goes with its last descriptor: for what one program hands to another
 * that is run in its place. */
#ifndef RPCTL_MEMORY_FILE_H
#define RPCTL_MEMORY_FILE_H

#include <rp/error.h>
#include <stddef.h>

/* `name` is for /proc only. The text may be empty: then it is written to by others. */
int rpctl_memory_file_new(const char *name, const char *text, size_t length, int *ret_fd,
                          struct rp_error *error);

/* All that is in it, terminated, from the first byte wherever it was read or written last; the caller frees.
 * -EINVAL when `fd` is no such file, -EFBIG, -ENOMEM. */
int rpctl_memory_file_read(int fd, size_t max_bytes, char **ret_text, size_t *ret_length,
                           struct rp_error *error);

#endif
