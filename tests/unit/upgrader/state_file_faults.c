/* What reaches the disk, and in which order: the new state whole, then its name. And the n-th of these calls
 * fails, for n = 1, 2, …: what is there is the old state or the new one, never a part. */
#include "linux/state_file.h"

#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_BYTES 1000
#define PIECE     3 /* bytes that a write takes at once */

static char root[] = "/tmp/rpctl-state-XXXXXX";
static int dir_fd;
static struct rp_error error;
static unsigned countdown; /* 0: nothing fails */
static char calls[256];
static size_t written; /* since the last fsync of a file */

static bool fails(const char *call)
{
    strncat(calls, call, sizeof calls - strlen(calls) - 1);
    if (countdown == 0 || --countdown > 0) return false;
    errno = EIO;
    return true;
}

/* These stand before libc's for the whole program. */
ssize_t fake_write(int fd, const void *bytes, size_t count) __asm__("write");
int fake_fsync(int fd) __asm__("fsync");
int fake_renameat(int old_dir, const char *old_path, int new_dir, const char *new_path) __asm__("renameat");

static bool is_regular(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

ssize_t fake_write(int fd, const void *bytes, size_t count)
{
    bool ours = is_regular(fd);
    if (ours && fails("write ")) return -1;
    if (ours && count > PIECE) count = PIECE;
    ssize_t length = syscall(SYS_write, fd, bytes, count);
    if (ours && length > 0) written += (size_t)length;
    return length;
}

int fake_fsync(int fd)
{
    bool of_file = is_regular(fd);
    if (fails(of_file ? "fsync " : "fsync-directory ")) return -1;
    if (of_file) written = 0;
    return (int)syscall(SYS_fsync, fd);
}

int fake_renameat(int old_dir, const char *old_path, int new_dir, const char *new_path)
{
    cr_assert_eq(written, 0, "it gets its name before it is on the disk");
    if (fails("rename ")) return -1;
    return (int)syscall(SYS_renameat2, old_dir, old_path, new_dir, new_path, 0);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(root));
    dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(void)
{
    unlinkat(dir_fd, RPCTL_STATE_FILE, 0);
    unlinkat(dir_fd, RPCTL_STATE_FILE_NEW, 0);
    close(dir_fd);
    rmdir(root);
}

TestSuite(state_file_faults, .init = set_up, .fini = tear_down, .timeout = 30);

static bool is_there(const char *wanted)
{
    char *text;
    size_t length;
    cr_assert_eq(rpctl_state_file_read(dir_fd, MAX_BYTES, &text, &length, &error), 0, "%s", error.message);
    bool same = strcmp(text, wanted) == 0;
    free(text);
    return same;
}

Test(state_file_faults, on_the_disk_before_it_has_its_name)
{
    cr_assert_eq(rpctl_state_file_write(dir_fd, "12345678", 8, &error), 0, "%s", error.message);
    cr_assert_str_eq(calls, "write write write fsync rename fsync-directory ");
    cr_assert(is_there("12345678"));
}

Test(state_file_faults, the_old_state_or_the_new_one)
{
    int fds = count_open_fds();
    unsigned failed = 0;
    for (unsigned n = 1; countdown == 0; n++) {
        cr_assert_eq(rpctl_state_file_write(dir_fd, "old", 3, &error), 0, "%s", error.message);
        countdown = n;
        int result = rpctl_state_file_write(dir_fd, "the new one", 11, &error);
        failed += result < 0;
        if (result < 0) cr_assert_not_null(strstr(error.message, "cannot write the service's state down"));
        cr_assert(is_there("the new one") || (result < 0 && is_there("old")), "call %u", n);
        if (countdown > 0) break;
    }
    countdown = 0;
    cr_assert_eq(failed, 7, "4 writes, 2 fsyncs, 1 rename");
    cr_assert_eq(count_open_fds(), fds);
    expect_no_leak();
}
