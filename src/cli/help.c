#include <skrfs/cli/verb.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMN 26 /* where the explanations begin */

static int option_print(
        const struct skrfs_option *option, struct skrfs_buf *out, struct skrfs_error *err) {
    char name[96], letter[8] = "    ";
    if (option->letter) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    }
    (void)snprintf(name, sizeof(name), "  %s--%s%s%s", letter, option->name,
            option->value ? " " : "", option->value ? option->value : "");
    if (strlen(name) >= NAME_COLUMN) {
        return skrfs_buf_printf(out, err, "%s\n%*s%s\n", name, NAME_COLUMN, "", option->help);
    }
    return skrfs_buf_printf(out, err, "%-*s%s\n", NAME_COLUMN, name, option->help);
}

int skrfs_verb_help(const struct skrfs_verb *verb, struct skrfs_buf *out, struct skrfs_error *err) {
    if (skrfs_buf_printf(out, err, "Usage: skrfs %s [OPTION]...%s%s\n\n%s\n\nOptions:\n",
                verb->name, verb->operands[0] ? " " : "", verb->operands, verb->details) < 0) {
        return -1;
    }
    for (size_t i = 0; i < verb->option_count; i++) {
        if (option_print(&verb->options[i], out, err) < 0) {
            return -1;
        }
    }
    static const struct skrfs_option help = {
            .letter = 'h', .name = "help", .help = "show this text"};
    if (option_print(&help, out, err) < 0) {
        return -1;
    }
    return skrfs_buf_printf(out, err, "\nMore in %s.\n", verb->page);
}

int skrfs_verbs_help(const char *group, struct skrfs_buf *out, struct skrfs_error *err) {
    if (skrfs_buf_printf(out, err, "Usage: skrfs %s%sVERB [OPTION]... [OPERAND]...\n\n%sVerbs:\n",
                group ? group : "", group ? " " : "",
                group ? ""
                      : "Serves keys that Azure Key Vault releases to this attested machine, as "
                        "files.\n\n") < 0) {
        return -1;
    }
    for (const struct skrfs_verb *const *verb = skrfs_verbs; *verb; verb++) {
        size_t len = group ? strlen(group) : 0;
        if (group && (strncmp((*verb)->name, group, len) != 0 || (*verb)->name[len] != ' ')) {
            continue;
        }
        if (skrfs_buf_printf(out, err, "  %-15s %s\n", (*verb)->name, (*verb)->summary) < 0) {
            return -1;
        }
    }
    return skrfs_buf_append_text(out,
            group ? "\n'skrfs VERB --help' tells a verb's options.\n"
                  : "\n'skrfs VERB --help' tells a verb's options; skrfs(8) and skrfs.conf(5) tell "
                    "the "
                    "rest.\n'skrfs --version' tells the version.\n",
            err);
}
