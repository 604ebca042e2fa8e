/* Gives every file of the named folders and every named file to one target, once: the corpus in the normal
 * run. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static size_t count;

static void fail(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(1);
}

/* In memory of exactly its size, so that a read behind its end is seen. */
static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (!file || !bytes || fread(bytes, 1, size, file) != size) fail(path);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    count++;
}

static void replay(const char *path);

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort);

    if (found < 0) fail(path);
    for (int i = 0; i < found; i++) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') replay(name);
        free(entries[i]);
    }
    free(entries);
}

static void replay(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0) fail(path);
    if (S_ISDIR(status.st_mode))
        replay_folder(path);
    else
        replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
