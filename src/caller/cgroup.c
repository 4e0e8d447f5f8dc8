/* What a control group's path says: the systemd unit and the container. */
#include <skrfs/base/cleanup.h>
#include <skrfs/caller/caller.h>
#include <string.h>

#define ID_LEN ((size_t)SKRFS_CONTAINER_MAX - 1)

/* A part of a path between slashes. */
struct part {
    const char *text;
    size_t len;
};

static bool next_part(const char **at, struct part *ret_part) {
    *at += strspn(*at, "/");
    ret_part->text = *at;
    ret_part->len = strcspn(*at, "/");
    *at += ret_part->len;
    return ret_part->len > 0;
}

static bool begins(const struct part *part, const char *word) {
    size_t len = strlen(word);
    return part->len >= len && !strncmp(part->text, word, len);
}

static bool ends(const struct part *part, const char *word) {
    size_t len = strlen(word);
    return part->len > len && !strncmp(part->text + part->len - len, word, len);
}

static bool is(const struct part *part, const char *word) {
    return part->len == strlen(word) && begins(part, word);
}

static struct part behind(const struct part *part, size_t len) {
    return (struct part){part->text + len, part->len - len};
}

static bool is_unit(const struct part *part) {
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  ":-_.\\@";
    static const char *const types[] = {".service", ".scope", ".socket", ".mount", ".swap"};
    if (part->len >= SKRFS_UNIT_MAX || part->text[0] == '@')
        return false;
    for (size_t i = 0; i < part->len; i++)
        if (!memchr(allowed, part->text[i], sizeof allowed - 1))
            return false;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(types); i++)
        if (ends(part, types[i]))
            return true;
    return false;
}

/* The first part that is no slice, and what follows it. */
static bool skip_slices(const char *path, struct part *ret_part, const char **ret_rest) {
    *ret_rest = path;
    do
        if (!next_part(ret_rest, ret_part))
            return false;
    while (ends(ret_part, ".slice"));
    return true;
}

/* systemd, src/basic/cgroup-util.c: cg_path_get_unit(); a name that could be mistaken for a file of
 * the kernel's is escaped by a "_" in front (cg_escape). */
void skrfs_cgroup_unit(const char *path, char out[SKRFS_UNIT_MAX]) {
    struct part part;
    const char *rest;
    out[0] = 0;
    if (!skip_slices(path, &part, &rest))
        return;
    if (part.text[0] == '_')
        part = behind(&part, 1);
    if (!is_unit(&part))
        return;
    memcpy(out, part.text, part.len);
    out[part.len] = 0;
}

static bool is_id(const struct part *part) {
    if (part->len != ID_LEN)
        return false;
    for (size_t i = 0; i < part->len; i++)
        if (!strchr("0123456789abcdef", part->text[i]))
            return false;
    return true;
}

static void take(const struct part *part, char out[SKRFS_CONTAINER_MAX]) {
    memcpy(out, part->text, part->len);
    out[part->len] = 0;
}

/* "docker-ID.scope" and its like, as runtimes ask systemd for them. */
static bool take_scope(const struct part *part, char out[SKRFS_CONTAINER_MAX]) {
    static const char *const prefixes[] = {
            "docker-", "libpod-", "crio-", "cri-containerd-", "nerdctl-"};
    if (!ends(part, ".scope"))
        return false;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(prefixes); i++) {
        if (!begins(part, prefixes[i]))
            continue;
        struct part id = behind(part, strlen(prefixes[i]));
        id.len -= strlen(".scope");
        if (is_id(&id)) {
            take(&id, out);
            return true;
        }
    }
    return false;
}

/* systemd-nspawn's, and those that register with systemd-machined: names. */
static bool take_machine(const struct part *part, char out[SKRFS_CONTAINER_MAX]) {
    struct part name;
    if (begins(part, "machine-") && ends(part, ".scope")) {
        name = behind(part, strlen("machine-"));
        name.len -= strlen(".scope");
    } else if (begins(part, "systemd-nspawn@") && ends(part, ".service")) {
        name = behind(part, strlen("systemd-nspawn@"));
        name.len -= strlen(".service");
    } else {
        return false;
    }
    /* "\x2d" and the like: systemd.unit(5), string escaping. */
    if (!name.len || name.len > ID_LEN || memchr(name.text, '\\', name.len))
        return false;
    take(&name, out);
    return true;
}

/* "/docker/ID", "/libpod_parent/libpod-ID", "/kubepods/burstable/podUID/ID": runtimes that make
 * their groups themselves. */
static bool take_plain(const struct part *first, const char *rest, char out[SKRFS_CONTAINER_MAX]) {
    struct part part;
    if (!next_part(&rest, &part))
        return false;
    if (is(first, "kubepods")) {
        if ((is(&part, "burstable") || is(&part, "besteffort")) && !next_part(&rest, &part))
            return false;
        if (!begins(&part, "pod") || !next_part(&rest, &part))
            return false;
        if (begins(&part, "crio-"))
            part = behind(&part, strlen("crio-"));
    } else if (is(first, "libpod_parent") && begins(&part, "libpod-")) {
        part = behind(&part, strlen("libpod-"));
    } else if (!is(first, "docker")) {
        return false;
    }
    if (!is_id(&part))
        return false;
    take(&part, out);
    return true;
}

/* "containerd.service/kubepods-podUID.slice:cri-containerd:ID": containerd, told of no systemd. */
static bool take_containerd(
        const struct part *first, const char *rest, char out[SKRFS_CONTAINER_MAX]) {
    static const char mark[] = ":cri-containerd:";
    const size_t tail = sizeof mark - 1 + ID_LEN;
    struct part part;
    if (!is(first, "containerd.service") || !next_part(&rest, &part) || part.len <= tail)
        return false;
    struct part end = behind(&part, part.len - tail);
    struct part id = behind(&end, sizeof mark - 1);
    if (!begins(&end, mark) || !is_id(&id))
        return false;
    take(&id, out);
    return true;
}

/* Only where the parts in front are systemd's or a runtime's: whoever has a group may make others
 * below it, of any name. So the outermost counts, and below a unit that is no container's there is
 * none. */
void skrfs_cgroup_container(const char *path, char out[SKRFS_CONTAINER_MAX]) {
    struct part first, part;
    const char *rest, *begin = path;
    out[0] = 0;
    if (!next_part(&begin, &first) || is(&first, "user.slice") || !skip_slices(path, &part, &rest))
        return;
    if (take_scope(&part, out) || take_machine(&part, out) || take_containerd(&part, rest, out))
        return;
    if (part.text == first.text)
        (void)take_plain(&part, rest, out);
}
