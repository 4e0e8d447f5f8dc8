#include "support.h"

#include <limits.h>
#include <skrfs/base/file.h>

void vector_read(const char *name, struct skrfs_buf *out) {
    const char *folder = getenv("SKRFS_VECTORS");
    const char *source = getenv("SKRFS_SOURCE");
    char path[PATH_MAX];
    if (folder)
        snprintf(path, sizeof(path), "%s/%s", folder, name);
    else
        snprintf(path, sizeof(path), "%s/../shared/vectors/%s", source ? source : ".", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: captured sample %s is not here\n", path);
        skip();
    }
    struct skrfs_error err = {0};
    *out = SKRFS_BUF((size_t)1 << 20);
    assert_ok(skrfs_file_read(path, out, &err), err);
}
