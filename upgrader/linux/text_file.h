/* Reads a small text file as a whole. */
#ifndef RPCTL_TEXT_FILE_H
#define RPCTL_TEXT_FILE_H

#include <rp/error.h>
#include <stddef.h>

/* At most `max_bytes`; -EFBIG for more, -EINVAL when there is a NUL in it, -EISDIR, -ENOENT, … with a message
 * that names the file. The text is NUL-terminated; the caller frees. */
int rpctl_text_file_read(char **ret_text, const char *path, size_t max_bytes, struct rp_error *error);

#endif
