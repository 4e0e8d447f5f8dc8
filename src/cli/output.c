#include <skrfs/cli/output.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

bool skrfs_colours(int fd) {
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

size_t skrfs_columns(int fd) {
    struct winsize size;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int skrfs_print(const struct skrfs_buf *text, struct skrfs_error *err) {
    if (text->len && fwrite(text->data, 1, text->len, stdout) != text->len) {
        return skrfs_fail_errno(err, errno, "write the result");
    }
    return 0;
}

void skrfs_lab_note(const char *lab_dir) {
    if (lab_dir) {
        (void)fprintf(stderr,
                "this is a lab: %s stands in for the cloud and the TEE, nothing here is "
                "protected\n",
                lab_dir);
    }
}

void skrfs_age_print(int64_t seconds, char *out, size_t size) {
    static const struct {
        int64_t unit;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(units); i++) {
        if (seconds >= 2 * units[i].unit) {
            (void)snprintf(
                    out, size, "%lld%c", (long long)(seconds / units[i].unit), units[i].letter);
            return;
        }
    }
    (void)snprintf(out, size, "%llds", (long long)seconds);
}
