#include "policy_input.h"

#include <inttypes.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX (SKRFS_JSON_DEPTH_MAX + 2)

struct test_options {
    struct claims_source source;
    bool json;
};

/* The table: a row a node, its depth shown by indenting. */
struct table_writer {
    struct skrfs_table *table;
    struct skrfs_error *err;
    bool failed;
    size_t authorities, issuers; /* how many there are, and how many are the token's issuer */
    bool hidden;                 /* the conditions of the authority that was told last */
};

/* Published policies name dozens of authorities: without the token's among them a few are shown. */
#define SHOWN_MAX 3

static void count_authority(void *context, const struct skrfs_policy_step *step) {
    struct table_writer *writer = context;
    writer->authorities += step->kind == SKRFS_STEP_AUTHORITY;
    writer->issuers += step->issuer;
}

static void row_claim(const struct skrfs_policy_step *step, const char *indented,
        const char *cells[4], char condition[], size_t size, char *actual, size_t actual_size) {
    (void)snprintf(condition, size, "%s %s", indented, step->condition);
    if (step->actual) {
        cells[3] = step->actual;
    } else if (step->elsewhere) {
        (void)snprintf(actual, actual_size, "absent (the token has %s)", step->elsewhere);
        cells[3] = actual;
    } else {
        cells[3] = "absent";
    }
    cells[0] = step->holds ? "yes" : "NO";
    cells[1] = condition;
    cells[2] = step->wanted;
}

static void row_add(void *context, const struct skrfs_policy_step *step) {
    static const char *const lists[] = {
            [SKRFS_STEP_ANY] = "any of",
            [SKRFS_STEP_ALL] = "all of",
    };
    struct table_writer *writer = context;
    char indented[2 * DEPTH_MAX + 1024], condition[sizeof(indented) + 32];
    char actual[SKRFS_CLAIM_MAX + 32];
    const char *cells[4] = {NULL};
    const char *what = step->name ? step->name : lists[step->kind];
    if (step->kind == SKRFS_STEP_AUTHORITY) {
        writer->hidden = !step->issuer && (writer->issuers > 0 || writer->authorities > SHOWN_MAX);
    } else if (writer->hidden) {
        return;
    }
    (void)snprintf(indented, sizeof(indented), "%*s%.1000s", (int)(2 * step->depth), "", what);
    if (step->kind == SKRFS_STEP_CLAIM) {
        row_claim(step, indented, cells, condition, sizeof(condition), actual, sizeof(actual));
    } else {
        cells[0] = step->holds ? "yes" : "NO";
        cells[1] = indented;
        if (step->kind == SKRFS_STEP_AUTHORITY) {
            cells[0] = step->holds ? "MET" : step->issuer ? "NOT MET" : "other";
            cells[3] = step->issuer ? "the token's issuer" : "another issuer";
        }
    }
    const char *style = step->holds ? SKRFS_STYLE_GOOD : SKRFS_STYLE_BAD;
    if (!writer->failed && skrfs_table_add(writer->table, cells, style, writer->err) < 0) {
        writer->failed = true;
    }
}

/* The tree as JSON: the arrays into which nodes of each depth go are kept by the tree itself. */
struct tree_writer {
    struct skrfs_json *levels[DEPTH_MAX + 1];
    struct skrfs_error *err;
    bool failed;
};

static int node_new(const struct skrfs_policy_step *step, struct skrfs_json *children,
        struct skrfs_json **ret_node, struct skrfs_error *err) {
    switch (step->kind) {
    case SKRFS_STEP_AUTHORITY:
        return skrfs_json_pack(ret_node, err, "{s:s, s:b, s:b, s:o}", "authority", step->name,
                "issuer", (int)step->issuer, "met", (int)step->holds, "conditions", children);
    case SKRFS_STEP_CLAIM:
        skrfs_json_free(children);
        return skrfs_json_pack(ret_node, err, "{s:s, s:s, s:s, s:s*, s:s*, s:b}", "claim",
                step->name, "condition", step->condition, "wanted", step->wanted, "actual",
                step->actual, "elsewhere", step->elsewhere, "holds", (int)step->holds);
    default:
        return skrfs_json_pack(ret_node, err, "{s:b, s:o}", "holds", (int)step->holds,
                step->kind == SKRFS_STEP_ANY ? "any_of" : "all_of", children);
    }
}

static void node_add(void *context, const struct skrfs_policy_step *step) {
    struct tree_writer *writer = context;
    struct skrfs_json *children = NULL, *node = NULL;
    if (writer->failed || step->depth >= DEPTH_MAX) {
        writer->failed = true;
        return;
    }
    if (skrfs_json_new_array(&children, writer->err) < 0 ||
            node_new(step, children, &node, writer->err) < 0 ||
            skrfs_json_append(writer->levels[step->depth], node, writer->err) < 0) {
        writer->failed = true;
        return;
    }
    writer->levels[step->depth + 1] = step->kind == SKRFS_STEP_CLAIM ? NULL : children;
}

/* What is to be said besides the conditions. */
struct verdict {
    bool met, served, expired, timed;
    int64_t not_after_s;
    char issuer[256], why[512], unserved[512];
};

static void verdict_make(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        struct verdict *verdict) {
    struct skrfs_error err;
    const struct skrfs_json *exp = skrfs_claim(claims, "exp");
    const char *issuer = skrfs_json_string(skrfs_claim(claims, "iss"));
    *verdict = (struct verdict){.met = skrfs_policy_meets(policy, claims)};
    if (issuer) {
        skrfs_text_clean(issuer, strlen(issuer), verdict->issuer, sizeof(verdict->issuer));
    }
    if (!skrfs_policy_explain(policy, claims, verdict->why, sizeof(verdict->why))) {
        verdict->why[0] = '\0';
    }
    verdict->served = skrfs_policy_served(policy, &err) == 0;
    if (!verdict->served) {
        (void)snprintf(verdict->unserved, sizeof(verdict->unserved), "%.500s", err.message);
    }
    verdict->timed = exp && skrfs_json_kind(exp) == SKRFS_JSON_INTEGER;
    if (verdict->timed) {
        verdict->not_after_s = skrfs_json_integer(exp);
        verdict->expired = verdict->not_after_s <= skrfs_wall_s();
    }
}

static void notes_print(const struct verdict *verdict, bool here) {
    if (!here) {
        (void)fprintf(
                stderr, "note: the token's signature is not verified here; the vault does that\n");
    }
    if (verdict->expired) {
        char age[16];
        skrfs_age_print(skrfs_wall_s() - verdict->not_after_s, age, sizeof(age));
        (void)fprintf(
                stderr, "note: the token expired %s ago: a vault refuses it for that alone\n", age);
    }
    if (!verdict->served) {
        (void)fprintf(stderr, "note: a vault would not take this policy: %s\n", verdict->unserved);
    }
}

static int table_print(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        const struct verdict *verdict, struct skrfs_error *err) {
    static const char *const header[] = {"VERDICT", "CONDITION", "WANTED", "ACTUAL"};
    skrfs_autotable table = {.columns = 4};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    struct table_writer writer = {.table = &table, .err = err};
    if (skrfs_table_add(&table, header, SKRFS_STYLE_BOLD, err) < 0) {
        return -1;
    }
    (void)skrfs_policy_test(policy, claims, count_authority, &writer);
    (void)skrfs_policy_test(policy, claims, row_add, &writer);
    if (writer.failed || skrfs_table_print(&table, skrfs_columns(STDOUT_FILENO),
                                 skrfs_colours(STDOUT_FILENO), &out, err) < 0) {
        return -1;
    }
    int result = verdict->met ? skrfs_buf_printf(&out, err, "\nmet: the policy releases the key\n")
                              : skrfs_buf_printf(&out, err, "\nnot met: %s\n", verdict->why);
    return result < 0 ? -1 : skrfs_print(&out, err);
}

static int json_make(const struct verdict *verdict, struct skrfs_json *authorities,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    struct skrfs_json *json = NULL, *expires = NULL;
    if (skrfs_json_pack(&json, err, "{s:b, s:s*, s:s, s:b, s:b, s:b, s:o}", "met",
                (int)verdict->met, "reason", verdict->met ? NULL : verdict->why, "issuer",
                verdict->issuer, "expired", (int)verdict->expired, "signature_verified", 0,
                "policy_served", (int)verdict->served, "authorities", authorities) < 0) {
        return -1;
    }
    if (verdict->timed && (skrfs_json_pack(&expires, err, "I", verdict->not_after_s) < 0 ||
                                  skrfs_json_set(json, "expires", expires, err) < 0)) {
        skrfs_json_free(json);
        return -1;
    }
    *ret_json = json;
    return 0;
}

static int json_print(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        const struct verdict *verdict, struct skrfs_error *err) {
    struct skrfs_json *authorities = NULL;
    skrfs_autojson *json = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    if (skrfs_json_new_array(&authorities, err) < 0) {
        return -1;
    }
    struct tree_writer writer = {.levels = {authorities}, .err = err};
    (void)skrfs_policy_test(policy, claims, node_add, &writer);
    if (json_make(verdict, authorities, &json, err) < 0 || writer.failed ||
            skrfs_json_print(json, isatty(STDOUT_FILENO), &out, err) < 0 ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int test_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct test_options *options = call->options;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autojson *claims = NULL;
    struct verdict verdict;
    bool import = false;
    if (claims_source_check(&options->source, err) < 0) {
        return -1;
    }
    if (!claims_source_given(&options->source)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "against which token? say --token FILE, --claims FILE or --here");
    }
    if (policy_load(call->operands[0], &policy, &import, NULL, err) < 0 ||
            claims_read(&options->source, &claims, err) < 0) {
        return -1;
    }
    verdict_make(policy, claims, &verdict);
    notes_print(&verdict, options->source.here);
    if ((options->json ? json_print : table_print)(policy, claims, &verdict, err) < 0) {
        return -1;
    }
    return verdict.met ? 0 : skrfs_fail(err, SKRFS_CLASS_REJECTED, "the policy is not met");
}

static const struct skrfs_option options[] = {
        {0, "token", "FILE", "the attestation token ('-': standard input)", SKRFS_OPTION_TEXT,
                offsetof(struct test_options, source.token)},
        {0, "claims", "FILE", "a token's claims as JSON, such as 'skrfs attest' prints",
                SKRFS_OPTION_TEXT, offsetof(struct test_options, source.claims)},
        {0, "here", NULL, "attest this machine and take its token", SKRFS_OPTION_FLAG,
                offsetof(struct test_options, source.here)},
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct test_options, source.config)},
        {'t', "timeout", "TIME", "longest wait of --here (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct test_options, source.timeout_ms)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct test_options, json)},
};

const struct skrfs_verb skrfs_verb_policy_test = {
        .name = "policy test",
        .summary = "hold a policy against a token, claim by claim",
        .operands = "FILE",
        .details =
                "Holds a release policy against what an attestation token claims, claim by claim, "
                "as a vault does.\n"
                "Succeeds when the policy is met. The token's signature is not verified.",
        .page = "skrfs-policy(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct test_options),
        .run = test_run,
};
