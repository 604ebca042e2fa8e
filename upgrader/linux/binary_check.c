#include "linux/binary_check.h"
#include "pure/quote.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int missing(const char *path, int code, struct rp_error *error)
{
    struct stat link;
    if (code == -ENOENT && lstat(path, &link) == 0)
        return rp_error_set(error, code,
                            "%s is a symlink to a file that does not exist; let it point to the release",
                            rpctl_quote_path(path).text);
    if (code == -ENOENT)
        return rp_error_set(error, code, "%s: no such file; give the path of the server's binary",
                            rpctl_quote_path(path).text);
    return rp_error_set(error, code, "%s cannot be reached: %s", rpctl_quote_path(path).text,
                        strerror(-code));
}

static int wrong_kind(const char *path, mode_t mode, struct rp_error *error)
{
    if (S_ISDIR(mode))
        return rp_error_set(error, -EISDIR, "%s is a directory; give the path of the server's binary in it",
                            rpctl_quote_path(path).text);
    return rp_error_set(error, -EACCES, "%s is not a regular file; give the path of the server's binary",
                        rpctl_quote_path(path).text);
}

int rpctl_binary_check(const char *path, struct rp_error *error)
{
    struct stat status;
    if (stat(path, &status) < 0) return missing(path, -errno, error);
    if (!S_ISREG(status.st_mode)) return wrong_kind(path, status.st_mode, error);
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return rp_error_set(error, -errno,
                            "%s is not executable (%s); chmod +x it, or move it off a noexec mount",
                            rpctl_quote_path(path).text, strerror(errno));
    /* exec() of an empty file fails with ENOEXEC, upon which execvp() runs it as a shell script that
     * succeeds. */
    if (status.st_size == 0)
        return rp_error_set(error, -ENOEXEC, "%s is empty; copy the release again",
                            rpctl_quote_path(path).text);
    return 0;
}
