/* Comment removal: as long as before, every line end where it was, and nothing left to remove. */
#include <skrfs/policy/policy.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf once = SKRFS_BUF(SKRFS_POLICY_MAX), twice = SKRFS_BUF(SKRFS_POLICY_MAX);
    size_t count = 0;
    if (skrfs_policy_strip_comments((const char *)data, size, &once, &count, &err) < 0)
        return 0;
    if (once.len != size)
        abort();
    for (size_t i = 0; i < size; i++)
        if ((data[i] == '\n') != (once.data[i] == '\n'))
            abort();
    if (skrfs_policy_strip_comments(skrfs_buf_text(&once), once.len, &twice, &count, &err) < 0 ||
            count != 0)
        abort();
    return 0;
}
