/* A verb of the program `skrfs` and its options: one table from which the parsing and --help are
 * both made, so that they cannot differ. */
#ifndef SKRFS_CLI_VERB_H
#define SKRFS_CLI_VERB_H

#include <skrfs/base/buf.h>
#include <skrfs/base/nearest.h>

#define SKRFS_OPTION_REPEATS_MAX 64 /* times a list option may be given */
#define SKRFS_OPTIONS_MAX 24        /* options of one verb, --help included */

/* Type of the member that an option sets. */
enum skrfs_option_kind {
    SKRFS_OPTION_FLAG,     /* bool */
    SKRFS_OPTION_TEXT,     /* const char *, borrowed from argv */
    SKRFS_OPTION_LIST,     /* struct skrfs_texts */
    SKRFS_OPTION_NUMBER,   /* unsigned, more than 0 */
    SKRFS_OPTION_DURATION, /* unsigned, in milliseconds; the text as skrfs_parse_duration takes it
                            */
};

struct skrfs_texts {
    const char *items[SKRFS_OPTION_REPEATS_MAX];
    size_t count;
};

struct skrfs_option {
    char letter;       /* 0: none */
    const char *name;  /* without the dashes */
    const char *value; /* the value's name in --help; NULL for a flag */
    const char *help;  /* one line */
    enum skrfs_option_kind kind;
    size_t offset; /* of the member in the verb's own struct */
};

/* What a verb works on. */
struct skrfs_call {
    const void *options; /* the verb's own struct, filled */
    int count;           /* operands */
    char **operands;
    int rest_count; /* words behind "--" of a verb that keeps them apart */
    char **rest;
};

struct skrfs_verb {
    const char *name;     /* "get", "key create" */
    const char *summary;  /* one line, for the list of verbs */
    const char *operands; /* "NAME..." */
    const char *details;  /* paragraphs for --help */
    const char *page;     /* man page: "skrfs-get(8)" */
    int least, most;      /* operands */
    bool rest;            /* words behind "--" are no operands */
    const struct skrfs_option *options;
    size_t option_count;
    size_t options_size; /* of the verb's own struct, which begins zeroed */
    /* Writes results to stdout, all else to stderr. */
    int (*run)(const struct skrfs_call *call, struct skrfs_error *err);
};

/* Ends with a NULL. */
extern const struct skrfs_verb *const skrfs_verbs[];

/* What the words after the program's name come to. */
struct skrfs_found_verb {
    const struct skrfs_verb *verb; /* NULL when only a group ("key") was named */
    const char *group;             /* NULL unless only a group was named */
    int words;                     /* words that make the name */
};
/* Finds the verb that `words` (`count` of them) begin with. CONFIG for an unknown one, with the
 * nearest. */
int skrfs_verb_find(char *const *words, int count, struct skrfs_found_verb *ret_found,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Parses argv (argv[0] is skipped) into `options`, which has verb->options_size zero octets.
 * *ret_help is set when --help is among them, and nothing else counts then. ret_call->operands
 * points into argv, whose elements are permuted. Wrong options and counts are CONFIG. Not thread
 * safe (getopt). */
int skrfs_options_parse(const struct skrfs_verb *verb, int argc, char **argv, void *options,
        struct skrfs_call *ret_call, bool *ret_help, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Appends the text of `skrfs VERB --help`. */
int skrfs_verb_help(const struct skrfs_verb *verb, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the list of verbs; of one group unless `group` is NULL. */
int skrfs_verbs_help(
        const char *group, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
