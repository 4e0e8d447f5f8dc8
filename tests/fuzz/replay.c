/* Runs a fuzz target over files and the files of folders: how a corpus is replayed without a
 * fuzzing engine. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* A target may have none. */
#pragma weak LLVMFuzzerInitialize

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    static uint8_t data[1 << 20];
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* An exact copy, so that a sanitizer sees a read past the end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return -1;
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int count_one(const char *path, unsigned *count) {
    if (replay(path) < 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    (*count)++;
    return 0;
}

static int replay_all(const char *path, unsigned *count) {
    DIR *dir = opendir(path);
    int result = 0;
    if (!dir)
        return count_one(path, count);
    for (struct dirent *entry; result == 0 && (entry = readdir(dir));) {
        char name[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        result = count_one(name, count);
    }
    closedir(dir);
    return result;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    if (argc < 2)
        return 2;
    if (LLVMFuzzerInitialize)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        if (replay_all(argv[i], &count) < 0)
            return 1;
    printf("%u inputs replayed\n", count);
    return count ? 0 : 1;
}
