/* Releases one key many times through libskrfs and compares every result with the first:
 *
 *     many_releases CONFIG NAME COUNT
 */
#include <skrfs/base/clock.h>
#include <skrfs/skrfs.h>
#include <stdio.h>
#include <stdlib.h>

static int release_once(struct skrfs_client *client, const char *name, struct skrfs_secret **first,
        unsigned *different) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret = NULL;
    if (skrfs_client_get(client, name, NULL, -1, 60000, &secret, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    if (!*first) {
        *first = secret;
        return 0;
    }
    if (!skrfs_secret_equal(*first, skrfs_secret_data(secret), skrfs_secret_len(secret)))
        (*different)++;
    skrfs_secret_unref(secret);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    struct skrfs_error err = {0};
    struct skrfs_client *client = NULL;
    if (skrfs_client_new(argv[1], &client, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    unsigned long count = strtoul(argv[3], NULL, 10);
    unsigned long failures = 0;
    unsigned different = 0;
    struct skrfs_secret *first = NULL;
    uint64_t begun = skrfs_now_ns();
    for (unsigned long i = 0; i < count; i++)
        failures += release_once(client, argv[2], &first, &different) < 0;
    printf("%lu releases, %lu failures, %u value%s, %.2f ms each\n", count, failures, 1 + different,
            different ? "s" : "", (double)(skrfs_now_ns() - begun) / 1e6 / (double)count);
    skrfs_secret_unref(first);
    skrfs_client_free(client);
    return failures || different || !first;
}
