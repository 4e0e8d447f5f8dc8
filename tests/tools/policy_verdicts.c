/* Verdicts on many policies: reads lines of "POLICY<tab>CLAIMS" (compact JSON both) from standard
 * input and writes one line for each: "met", "not met" with the reason, or "refused" with it. What
 * the product says in several ways of the same pair must agree, or it ends with 1. */
#include <skrfs/policy/policy.h>
#include <stdio.h>
#include <string.h>

struct tally {
    bool met;
};

static void count(void *context, const struct skrfs_policy_step *step) {
    struct tally *tally = context;
    tally->met = tally->met || (step->kind == SKRFS_STEP_AUTHORITY && step->holds);
}

/* The policy as the vault would store it. */
static bool met_again(const struct skrfs_policy *policy, const struct skrfs_json *claims) {
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX * 4);
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *again = NULL;
    if (skrfs_policy_print(policy, &text, &err) < 0 ||
            skrfs_policy_parse(skrfs_buf_text(&text), text.len, &again, &err) < 0) {
        fprintf(stderr, "its own writing is refused: %s\n", err.message);
        exit(1);
    }
    return skrfs_policy_meets(again, claims);
}

static void judge(const char *policy_text, const char *claims_text) {
    struct skrfs_error err;
    struct tally tally = {.met = false};
    char why[512] = "";
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autojson *claims = NULL;
    if (skrfs_json_parse(claims_text, strlen(claims_text), SKRFS_POLICY_MAX, &claims, &err) < 0) {
        fprintf(stderr, "the claims cannot be read: %s\n", err.message);
        exit(1);
    }
    if (skrfs_policy_parse(policy_text, strlen(policy_text), &policy, &err) < 0) {
        printf("refused: %s\n", err.message);
        return;
    }
    bool met = skrfs_policy_meets(policy, claims);
    bool test = skrfs_policy_test(policy, claims, count, &tally);
    bool explained = skrfs_policy_explain(policy, claims, why, sizeof(why));
    if (test != met || tally.met != met || explained == met || met_again(policy, claims) != met) {
        fprintf(stderr, "verdicts differ: %s\n", policy_text);
        exit(1);
    }
    printf("%s%s\n", met ? "met" : "not met: ", why);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, stdin)) > 0) {
        char *tab = strchr(line, '\t');
        if (!tab) {
            fprintf(stderr, "a line without a tab\n");
            return 1;
        }
        *tab = '\0';
        tab[strcspn(tab + 1, "\n") + 1] = '\0';
        judge(line, tab + 1);
    }
    free(line);
    return 0;
}
