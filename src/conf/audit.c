#include "room.h"

#include <string.h>

#define SIZE_LEAST ((uint64_t)64 * 1024)
#define SIZE_MOST ((uint64_t)1024 * 1024 * 1024 * 1024)
#define KEEP_MOST 1000

/* Octets as people write them: 65536, 512K, 64M, 2G. 0: no limit. */
static bool parse_size(const char *text, uint64_t *ret_size) {
    static const char units[] = "KMG";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : units;
    if (!digits || digits > 12 || !unit || (text[digits] && text[digits + 1]))
        return false;
    unsigned shift = text[digits] ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number = strtoull(text, NULL, 10);
    if (number > SIZE_MOST >> shift)
        return false;
    *ret_size = number << shift;
    return true;
}

static int take_size(const struct value *value, uint64_t *ret_size, struct skrfs_error *err) {
    if (!value)
        return 0;
    if (!parse_size(value->text, ret_size) || (*ret_size && *ret_size < SIZE_LEAST))
        return conf_fail_at(err, &value->place,
                "'%s' is a number of octets such as 64M, from 64K to 1024G, or 0 for no limit",
                value->name);
    return 0;
}

static int take_keep(const struct value *value, unsigned *ret_keep, struct skrfs_error *err) {
    if (!value)
        return 0;
    unsigned long number = strtoul(value->text, NULL, 10);
    if (!conf_is_word(value->text, "0123456789", 4) || number < 1 || number > KEEP_MOST)
        return conf_fail_at(
                err, &value->place, "'keep' is a number of files from 1 to %d", KEEP_MOST);
    *ret_keep = (unsigned)number;
    return 0;
}

/* yes, no, or auto, which is when journald is there. */
static int take_journal(
        const struct value *value, enum skrfs_conf_journal *ret_journal, struct skrfs_error *err) {
    bool wanted;
    if (!value || strcmp(value->text, "auto") == 0)
        return 0;
    struct skrfs_error ignored;
    if (conf_take_bool(value, &wanted, &ignored))
        return conf_fail_at(err, &value->place, "'journal' is auto, yes or no");
    *ret_journal = wanted ? SKRFS_CONF_JOURNAL_YES : SKRFS_CONF_JOURNAL_NO;
    return 0;
}

static int check(
        const struct section *section, const struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct value *required = raw_get(section, "required");
    const struct value *size = raw_get(section, "max-size");
    if (conf->audit.required && !conf->audit.file && conf->audit.journal == SKRFS_CONF_JOURNAL_NO)
        return conf_fail_at(err, &required->place,
                "an audit that is required needs somewhere to be written: 'file' or 'journal'");
    if (conf->audit.max_size && !conf->audit.file)
        return conf_fail_at(err, &size->place, "'max-size' is the file's, and there is no 'file'");
    return 0;
}

int conf_take_audit(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *section = raw_find(raw, SECTION_AUDIT, "");
    conf->audit.keep = 8;
    if (!section)
        return 0;
    if (take_journal(raw_get(section, "journal"), &conf->audit.journal, err) ||
            conf_take_path(raw_get(section, "file"), &conf->audit.file, err) ||
            conf_take_bool(raw_get(section, "required"), &conf->audit.required, err) ||
            take_size(raw_get(section, "max-size"), &conf->audit.max_size, err) ||
            take_keep(raw_get(section, "keep"), &conf->audit.keep, err))
        return -1;
    return check(section, conf, err);
}
