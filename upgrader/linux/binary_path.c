#include "linux/binary_path.h"
#include "pure/quote.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int out_of_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "out of memory");
}

static const char *without_dot(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    return path;
}

static int make_absolute(char **ret_path, const char *path, struct rp_error *error)
{
    char *cwd = NULL;
    if (path[0] != '/' && !(cwd = getcwd(NULL, 0)))
        return rp_error_set(error, -errno,
                            "%s: the working directory has no path (%s); give an absolute path",
                            rpctl_quote(path).text, strerror(errno));
    bool is_root = cwd && strcmp(cwd, "/") == 0;
    int length = cwd ? asprintf(ret_path, "%s/%s", is_root ? "" : cwd, without_dot(path))
                     : asprintf(ret_path, "%s", path);
    free(cwd);
    return length < 0 ? out_of_memory(error) : 0;
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* One entry of PATH; an empty one is the working directory. Returns 1 when the name is a program there. */
static int try_folder(char **ret_path, const char *folder, size_t length, const char *name)
{
    char *path;
    if (asprintf(&path, "%.*s%s%s", (int)length, folder, length ? "/" : "./", name) < 0) return -ENOMEM;
    if (is_program(path)) {
        *ret_path = path;
        return 1;
    }
    free(path);
    return 0;
}

static int search(char **ret_path, const char *name, const char *search_path, struct rp_error *error)
{
    for (const char *folder = search_path; folder;) {
        size_t length = strcspn(folder, ":");
        int found = try_folder(ret_path, folder, length, name);
        if (found < 0) return out_of_memory(error);
        if (found) return 0;
        folder = folder[length] ? folder + length + 1 : NULL;
    }
    return rp_error_set(error, -ENOENT,
                        "%s: no such program in PATH; for a file in this directory write ./%s",
                        rpctl_quote(name).text, rpctl_quote_path(name).text);
}

int rpctl_binary_path(char **ret_path, const char *binary, const char *search_path, struct rp_error *error)
{
    if (strchr(binary, '/')) return make_absolute(ret_path, binary, error);
    char *found = NULL;
    int result = search(&found, binary, search_path, error);
    if (found) result = make_absolute(ret_path, found, error);
    free(found);
    return result;
}
