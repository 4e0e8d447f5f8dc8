/* Runs a fuzz target over the files of a folder: how a corpus is replayed without a fuzzing engine.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        fprintf(stderr, "%s: no corpus\n", argv[1]);
        return 1;
    }
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (replay(path) < 0) {
            fprintf(stderr, "%s: cannot be read\n", path);
            return 1;
        }
        count++;
    }
    closedir(dir);
    printf("%u inputs replayed\n", count);
    return count ? 0 : 1;
}
