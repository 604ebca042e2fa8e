/* The state of a service on disk, DIR/NAME/state: written whole or not at all.
 *
 * Owns nothing. Synchronous: a write waits for the disk, so it belongs into a thread of its own. */
#ifndef RPCTL_STATE_FILE_H
#define RPCTL_STATE_FILE_H

#include <rp/error.h>
#include <stddef.h>

#define RPCTL_STATE_FILE     "state"
#define RPCTL_STATE_FILE_NEW "state.new" /* being written; what is left of one is worth nothing */
#define RPCTL_STATE_FILE_BAD "state.bad" /* set aside: could not be read */
#define RPCTL_BOOT_ID_BYTES  40

/* Writes another file, syncs it, puts it in the place of the old one and syncs the directory: whoever reads
 * finds the old text or the new one, also after a power cut. */
int rpctl_state_file_write(int dir_fd, const char *text, size_t length, struct rp_error *error);

/* The whole text, terminated; the caller frees. -ENOENT when there is none; -EPERM when it is no plain file
 * of the caller's own (it is not trusted), -EFBIG. */
int rpctl_state_file_read(int dir_fd, size_t max_bytes, char **ret_text, size_t *ret_length,
                          struct rp_error *error);

/* Renames it to RPCTL_STATE_FILE_BAD, over an earlier one. */
int rpctl_state_file_set_aside(int dir_fd, struct rp_error *error);

/* 0 also when there is none. */
int rpctl_state_file_remove(int dir_fd);

/* What names this boot of this machine; proc_sys_kernel(5). */
int rpctl_boot_id_read(char id[RPCTL_BOOT_ID_BYTES], struct rp_error *error);

#endif
