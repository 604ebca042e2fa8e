/* Why execve failed, in words for people: reads the file to tell the cases apart that share one errno. */
#ifndef RPCTL_EXEC_ERROR_H
#define RPCTL_EXEC_ERROR_H

#include <rp/error.h>

/* `code` is the negative errno of execve(binary). Sets *error to one line with the binary, the reason and the
 * remedy; returns `code`. What it looks at in the file is for the text alone. */
int rpctl_exec_error_explain(const char *binary, int code, struct rp_error *error);

#endif
