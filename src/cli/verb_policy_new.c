#include "policy_input.h"

#include <skrfs/cli/claims.h>
#include <stdio.h>
#include <string.h>

struct new_options {
    struct claims_source source; /* its config is the verb's */
    const char *tee;
    struct skrfs_texts authorities, claims, bind;
};

/* The claims of the policy: --claim's and --bind's. */
#define WISHES_MAX 256
struct wishes {
    struct skrfs_claim_wish items[WISHES_MAX];
    size_t count;
};

static void wishes_done(struct wishes *wishes) {
    for (size_t i = 0; i < wishes->count; i++) {
        free((char *)wishes->items[i].name);
        free((char *)wishes->items[i].value);
    }
}
#define auto_wishes SKRFS_CLEANUP(wishes_done) struct wishes

/* A claim that is asked for again takes the newer value. */
static int wish_add(struct wishes *wishes, const char *name, size_t len, const char *value,
        struct skrfs_error *err) {
    if (wishes->count == WISHES_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "more than %d claims", WISHES_MAX);
    }
    for (size_t i = 0; i < wishes->count; i++) {
        if (strncmp(wishes->items[i].name, name, len) == 0 && !wishes->items[i].name[len]) {
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "claim %.*s is asked for twice: '%s' and '%s'", (int)len, name,
                    wishes->items[i].value, value);
        }
    }
    char *own_name = strndup(name, len), *own_value = strdup(value);
    if (!own_name || !own_value) {
        free(own_name);
        free(own_value);
        return skrfs_fail_memory(err);
    }
    wishes->items[wishes->count++] =
            (struct skrfs_claim_wish){.name = own_name, .value = own_value};
    return 0;
}

/* NAME=VALUE: the name ends at the first '='; values may have more of them. */
static int claims_add(
        const struct skrfs_texts *texts, struct wishes *wishes, struct skrfs_error *err) {
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = texts->items[i], *equals = strchr(text, '=');
        if (!equals || equals == text) {
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--claim wants NAME=VALUE, not '%s'", text);
        }
        if (wish_add(wishes, text, (size_t)(equals - text), equals + 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* One word of --bind: a short one, or a claim's own name. */
static int bind_add(enum skrfs_policy_tee tee, const char *word, const struct skrfs_json *claims,
        struct wishes *wishes, struct skrfs_error *err) {
    char name[SKRFS_CLAIM_MAX];
    skrfs_autobuf known = SKRFS_BUF(4096), value = SKRFS_BUF(SKRFS_CLAIMS_MAX);
    if (!skrfs_policy_word(tee, word, name)) {
        if (!skrfs_claim(claims, word)) {
            return skrfs_policy_words(tee, &known, err) < 0
                           ? -1
                           : skrfs_fail(err, SKRFS_CLASS_CONFIG,
                                     "--bind %s: the token has no such claim; of a token of this "
                                     "kind there are %s, and every claim by its own name",
                                     word, skrfs_buf_text(&known));
        }
        (void)snprintf(name, sizeof(name), "%s", word);
    }
    const struct skrfs_json *found = skrfs_claim(claims, name);
    if (!found || !skrfs_claim_text(found, &value)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--bind %s: %s %s in the token", word, name,
                found ? "is no single value" : "is not");
    }
    return wish_add(wishes, name, strlen(name), skrfs_buf_text(&value), err);
}

/* "hostdata,measurement" */
static int binds_add(enum skrfs_policy_tee tee, const char *list, const struct skrfs_json *claims,
        struct wishes *wishes, struct skrfs_error *err) {
    do {
        char word[SKRFS_CLAIM_MAX];
        size_t len = strcspn(list, ",");
        if (len == 0 || len >= sizeof(word)) {
            return skrfs_fail(
                    err, SKRFS_CLASS_CONFIG, "--bind wants words with commas between: '%s'", list);
        }
        memcpy(word, list, len);
        word[len] = '\0';
        if (bind_add(tee, word, claims, wishes, err) < 0) {
            return -1;
        }
        list += len + (list[len] == ',');
    } while (*list);
    return 0;
}

static int tee_choose(const char *said, const struct skrfs_json *claims,
        enum skrfs_policy_tee *ret_tee, struct skrfs_error *err) {
    enum skrfs_policy_tee own = SKRFS_POLICY_CVM_SNP, tee = SKRFS_POLICY_CVM_SNP;
    bool known = claims && skrfs_policy_tee_of(claims, &own);
    if (said && !skrfs_policy_tee_parse(said, &tee)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--tee is sevsnpvm, tdxvm, snp, tdx or sgx, not '%s'", said);
    }
    if (claims && !known && !said) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the token is of no TEE that is known: say with --tee which one it is");
    }
    if (said && known && tee != own) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--tee says %s, and the token is one of %s",
                skrfs_policy_tee_name(tee), skrfs_policy_tee_name(own));
    }
    *ret_tee = said ? tee : own;
    return 0;
}

/* The one authority where none is named: the token's issuer, else the configured service. */
static int authority_find(const struct new_options *options, const struct skrfs_json *claims,
        struct skrfs_conf **ret_conf, const char **ret_authority, struct skrfs_error *err) {
    const char *issuer = skrfs_json_string(skrfs_claim(claims, "iss"));
    if (claims && issuer) {
        *ret_authority = issuer;
        return 0;
    }
    if (skrfs_conf_load(skrfs_config_path(options->source.config), ret_conf, err) < 0) {
        return skrfs_wrap(err, "find the authority (--authority URL names one)");
    }
    if (!(*ret_conf)->attestation_url) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which authority? say --authority URL, or set 'url' in section [attestation] of %s",
                (*ret_conf)->source);
    }
    *ret_authority = (*ret_conf)->attestation_url;
    return 0;
}

/* A policy that its own machine does not meet is rarely what was meant. */
static int met_check(
        const struct skrfs_buf *text, const struct skrfs_json *claims, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    char why[512];
    if (skrfs_policy_parse(skrfs_buf_text(text), text->len, &policy, err) < 0) {
        return -1;
    }
    if (skrfs_policy_explain(policy, claims, why, sizeof(why))) {
        (void)fprintf(stderr, "note: the token itself does not meet this policy: %s\n", why);
    }
    return 0;
}

static int new_write(const struct new_options *options, const struct skrfs_json *claims,
        enum skrfs_policy_tee tee, const struct wishes *wishes, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    const char *found = NULL, *const *authorities = options->authorities.items;
    size_t count = options->authorities.count;
    if (count == 0) {
        if (authority_find(options, claims, &conf, &found, err) < 0) {
            return -1;
        }
        authorities = &found;
        count = 1;
    }
    if (skrfs_policy_new(tee, authorities, count, wishes->items, wishes->count, &out, err) < 0 ||
            (claims && met_check(&out, claims, err) < 0) ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int new_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct new_options *options = call->options;
    enum skrfs_policy_tee tee = SKRFS_POLICY_CVM_SNP;
    skrfs_autojson *claims = NULL;
    auto_wishes wishes = {.count = 0};
    bool given = claims_source_given(&options->source);
    if (claims_source_check(&options->source, err) < 0) {
        return -1;
    }
    if (options->bind.count && !given) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--bind takes values out of a token: say --here, --token FILE or --claims FILE");
    }
    if ((given && claims_read(&options->source, &claims, err) < 0) ||
            tee_choose(options->tee, claims, &tee, err) < 0 ||
            claims_add(&options->claims, &wishes, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < options->bind.count; i++) {
        if (binds_add(tee, options->bind.items[i], claims, &wishes, err) < 0) {
            return -1;
        }
    }
    return new_write(options, claims, tee, &wishes, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct new_options, source.config)},
        {0, "tee", "TEE", "sevsnpvm (default), tdxvm, snp, tdx or sgx", SKRFS_OPTION_TEXT,
                offsetof(struct new_options, tee)},
        {'a', "authority", "URL",
                "attestation service to trust; may be repeated (default: as configured)",
                SKRFS_OPTION_LIST, offsetof(struct new_options, authorities)},
        {0, "claim", "NAME=VALUE", "one more claim that must hold; may be repeated",
                SKRFS_OPTION_LIST, offsetof(struct new_options, claims)},
        {0, "here", NULL, "attest this machine: its TEE, its authority, values for --bind",
                SKRFS_OPTION_FLAG, offsetof(struct new_options, source.here)},
        {0, "token", "FILE", "the same of an attestation token ('-': standard input)",
                SKRFS_OPTION_TEXT, offsetof(struct new_options, source.token)},
        {0, "claims", "FILE", "the same of a token's claims as JSON", SKRFS_OPTION_TEXT,
                offsetof(struct new_options, source.claims)},
        {'b', "bind", "WORD,...", "claims whose values must be those of the token: hostdata, ...",
                SKRFS_OPTION_LIST, offsetof(struct new_options, bind)},
        {'t', "timeout", "TIME", "longest wait of --here (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct new_options, source.timeout_ms)},
};

const struct skrfs_verb skrfs_verb_policy_new = {
        .name = "policy new",
        .summary = "write a release policy for a TEE",
        .operands = "",
        .details = "Writes a release policy to standard output: keys under it are released to "
                   "machines of this TEE\n"
                   "that the attestation service vouches for, that cannot be debugged, and that "
                   "have the further claims.",
        .page = "skrfs-policy(8)",
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct new_options),
        .run = new_run,
};
