#include "linux/directory.h"
#include "pure/quote.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRIVATE 0700

static int cannot_make(const char *path, int code, struct rp_error *error)
{
    return rp_error_set(error, code, "cannot make the directory %s: %s; take another --dir",
                        rpctl_quote_path(path).text, strerror(-code));
}

int rpctl_directory_make_at(int parent_fd, const char *name, const char *shown_path, struct rp_error *error)
{
    if (mkdirat(parent_fd, name, PRIVATE) == 0 || errno == EEXIST) return 0;
    return cannot_make(shown_path, -errno, error);
}

/* A parent on a read-only file system exists; mkdir() says EROFS before it says EEXIST. */
static int make_one(const char *path)
{
    struct stat status;
    if (mkdir(path, PRIVATE) == 0 || errno == EEXIST) return 0;
    int code = -errno;
    return stat(path, &status) == 0 ? 0 : code;
}

int rpctl_directory_make_path(const char *path, struct rp_error *error)
{
    char *part = strdup(path);
    if (!part) return rp_error_set(error, -ENOMEM, "out of memory");
    int result = 0;
    for (char *slash = part; slash && result == 0;) {
        slash = strchr(slash + 1, '/');
        if (slash) *slash = '\0';
        result = make_one(part);
        if (result < 0) cannot_make(part, result, error);
        if (slash) *slash = '/';
    }
    free(part);
    return result;
}

int rpctl_directory_open_errno(int parent_fd, const char *name, int code)
{
    struct stat status;
    if (code != -ENOTDIR || fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return code;
    return S_ISLNK(status.st_mode) ? -ELOOP : code;
}
