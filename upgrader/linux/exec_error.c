#include "linux/exec_error.h"
#include "pure/printable.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 256 /* the kernel reads as much of a first line (BINPRM_BUF_SIZE) */
#define PATH_BYTES 96  /* shown; the message has to hold the reason too */

/* The beginning of an executable file. */
struct file_head {
    char bytes[HEAD_BYTES];
    size_t length;
};

static void read_head(const char *path, struct file_head *head)
{
    head->length = 0;
    /* O_NONBLOCK: a FIFO without a writer must not hold us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    ssize_t length = read(fd, head->bytes, sizeof head->bytes);
    if (length > 0) head->length = (size_t)length;
    close(fd);
}

static bool is_elf(const struct file_head *head)
{
    return head->length > EI_NIDENT + 4 && memcmp(head->bytes, ELFMAG, SELFMAG) == 0;
}

/* e_machine stands at the same place in both classes. */
static unsigned elf_machine(const struct file_head *head)
{
    uint16_t machine;
    memcpy(&machine, head->bytes + EI_NIDENT + 2, sizeof machine);
    return machine;
}

/* The interpreter of a "#!" line; false when there is none. */
static bool find_interpreter(const struct file_head *head, char *name, size_t name_bytes)
{
    if (head->length < 3 || memcmp(head->bytes, "#!", 2) != 0) return false;
    const char *begin = head->bytes + 2;
    const char *end = head->bytes + head->length;
    while (begin < end && (*begin == ' ' || *begin == '\t')) begin++;
    const char *stop = begin;
    while (stop < end && *stop != ' ' && *stop != '\t' && *stop != '\n' && *stop != '\0') stop++;
    rpctl_printable_copy(name, name_bytes, begin, (size_t)(stop - begin));
    return stop > begin;
}

static void show_path(char shown[PATH_BYTES], const char *path)
{
    size_t length = strlen(path);
    bool cut = length >= PATH_BYTES;
    const char *from = cut ? path + length - (PATH_BYTES - 4) : path;
    size_t used = cut ? (size_t)snprintf(shown, PATH_BYTES, "...") : 0;
    rpctl_printable_copy(shown + used, PATH_BYTES - used, from, strlen(from));
}

static int set(struct rp_error *error, int code, const char *path, const char *reason)
{
    char shown[PATH_BYTES];
    show_path(shown, path);
    return rp_error_set(error, code, "cannot run %s: %s", shown, reason);
}

static int explain_enoent(const char *binary, struct rp_error *error)
{
    struct stat st;
    struct file_head head;
    char interpreter[64];
    char reason[160];
    if (stat(binary, &st) < 0)
        return set(error, -ENOENT, binary,
                   lstat(binary, &st) == 0 ? "it is a symlink to nothing" : "no such file");
    read_head(binary, &head);
    if (find_interpreter(&head, interpreter, sizeof interpreter)) {
        snprintf(reason, sizeof reason, "its interpreter %s is missing (line 1 of the script)%s", interpreter,
                 strchr(interpreter, '?') ? ": the line ends in CR, or has worse" : "");
        return set(error, -ENOENT, binary, reason);
    }
    return set(error, -ENOENT, binary,
               is_elf(&head)
                   ? "its dynamic loader is missing: it was built for another system (see readelf -l)"
                   : "no such file");
}

static int explain_enoexec(const char *binary, struct rp_error *error)
{
    struct file_head head, own;
    char reason[160];
    read_head(binary, &head);
    if (head.length == 0) return set(error, -ENOEXEC, binary, "the file is empty");
    if (!is_elf(&head))
        return set(error, -ENOEXEC, binary, "it is neither a program nor a script that begins with #!");
    read_head("/proc/self/exe", &own);
    if (is_elf(&own) && elf_machine(&own) == elf_machine(&head))
        return set(error, -ENOEXEC, binary,
                   "the program is damaged (its ELF header is bad, or it is cut short)");
    snprintf(reason, sizeof reason, "it is a program for another processor (ELF machine %u, here %u)",
             elf_machine(&head), is_elf(&own) ? elf_machine(&own) : 0);
    return set(error, -ENOEXEC, binary, reason);
}

static int explain_eacces(const char *binary, struct rp_error *error)
{
    struct stat st;
    struct file_head head;
    char interpreter[64];
    char reason[160];
    if (stat(binary, &st) == 0 && S_ISDIR(st.st_mode))
        return set(error, -EACCES, binary, "it is a directory");
    if (stat(binary, &st) == 0 && !S_ISREG(st.st_mode))
        return set(error, -EACCES, binary, "it is not a file");
    if (stat(binary, &st) == 0 && access(binary, X_OK) < 0)
        return set(error, -EACCES, binary, "it is not executable (chmod +x, or its file system is noexec)");
    read_head(binary, &head);
    if (find_interpreter(&head, interpreter, sizeof interpreter)) {
        snprintf(reason, sizeof reason, "its interpreter %s may not be executed", interpreter);
        return set(error, -EACCES, binary, reason);
    }
    return set(error, -EACCES, binary, "permission denied (a folder on the way, or a noexec file system)");
}

int rpctl_exec_error_explain(const char *binary, int code, struct rp_error *error)
{
    switch (-code) {
    case ENOENT: return explain_enoent(binary, error);
    case ENOEXEC: return explain_enoexec(binary, error);
    case EACCES: return explain_eacces(binary, error);
    case E2BIG: return set(error, code, binary, "arguments and environment are too long together (ARG_MAX)");
    case ENOMEM: return set(error, code, binary, "out of memory");
    case EAGAIN: return set(error, code, binary, "the user has too many processes (ulimit -u, pids.max)");
    case EMFILE: return set(error, code, binary, "too many open files in this process (ulimit -n)");
    case ENFILE: return set(error, code, binary, "too many open files in the system (fs.file-max)");
    case ETXTBSY:
        return set(error, code, binary,
                   "it is open for writing: copy a release under a new name, then rename it");
    default: return set(error, code, binary, strerror(-code));
    }
}
