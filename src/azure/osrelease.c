#include "internal.h"

#include <ctype.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

/* Copies the value of `name=` (os-release(5)) without its quotes. */
static bool value_of(const char *text, const char *name, char *out, size_t size) {
    size_t name_len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_len) != 0 || line[name_len] != '=')
            continue;
        const char *value = line + name_len + 1;
        size_t len = strcspn(value, "\n");
        if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
            value++;
            len -= 2;
        }
        skrfs_text_clean(value, len, out, size);
        return len > 0;
    }
    return false;
}

/* At most four digits, so that it always fits. */
static int number_at(const char *text) {
    int number = 0;
    for (size_t i = 0; i < 4 && isdigit((unsigned char)text[i]); i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

void skrfs_os_parse(const char *text, struct os_facts *ret_os) {
    char version[32] = "";
    if (!value_of(text, "NAME", ret_os->distro, sizeof(ret_os->distro)))
        snprintf(ret_os->distro, sizeof(ret_os->distro), "Linux");
    (void)value_of(text, "VERSION_ID", version, sizeof(version));
    ret_os->major = number_at(version);
    const char *dot = strchr(version, '.');
    ret_os->minor = dot && ret_os->major ? number_at(dot + 1) : 0;
    /* The service refuses 0; rolling distributions have no version. */
    if (ret_os->major == 0)
        ret_os->major = 1;
}

void skrfs_os_read(struct os_facts *ret_os) {
    struct skrfs_error ignored;
    skrfs_autobuf text = SKRFS_BUF((size_t)16 * 1024);
    if (skrfs_file_read("/etc/os-release", &text, &ignored) < 0)
        (void)(skrfs_file_read("/usr/lib/os-release", &text, &ignored) < 0);
    skrfs_os_parse(skrfs_buf_text(&text), ret_os);
}
