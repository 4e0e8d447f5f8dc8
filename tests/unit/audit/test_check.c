/* Every way in which somebody may have been at a file of records is found and named. */
#include "chain.h"

#include <stdlib.h>

#define RECORDS 9

static const struct skrfs_audit_check_options plain = {.journal = false};

/* Checks these lines; the findings' text must be this one, or have it in it. */
static void assert_found(const struct lines *lines, const struct skrfs_audit_check_options *options,
        size_t findings, const char *wanted) {
    skrfs_autobuf text = SKRFS_BUF((size_t)1 << 20), out = SKRFS_BUF((size_t)1 << 20);
    lines_join(lines, &text);
    size_t count = check_texts(&text, 1, options, &out);
    if (count != findings || !strstr(skrfs_buf_text(&out), wanted)) {
        print_error("%zu findings, wanted %zu with '%s':\n%s", count, findings, wanted,
                skrfs_buf_text(&out));
        fail();
    }
}

static void test_untouched(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    for (size_t count = 2; count < 20; count++) {
        lines_make(&lines, count, &head);
        assert_found(&lines, &plain, 0, "");
        const struct skrfs_audit_check_options options = {.head = head};
        assert_found(&lines, &options, 0, "");
        lines_done(&lines);
    }
}

static void test_each_line_removed(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    char wanted[128];
    (void)state;
    for (size_t gone = 0; gone < RECORDS; gone++) {
        lines_make(&lines, RECORDS, &head);
        free(lines.lines[gone]);
        lines.lines[gone] = NULL;
        if (gone == 0)
            (void)snprintf(wanted, sizeof(wanted), "a:1: removed: the records before 2");
        else if (gone + 1 < RECORDS)
            (void)snprintf(wanted, sizeof(wanted),
                    "a:%zu: removed: between records %zu and %zu 1 are missing", gone + 1, gone,
                    gone + 2);
        else
            (void)snprintf(wanted, sizeof(wanted), "a:%d: the chain has no end", RECORDS - 1);
        assert_found(&lines, &plain, 1, wanted);
        const struct skrfs_audit_check_options options = {.head = head};
        assert_found(&lines, &options, 1, gone + 1 < RECORDS ? wanted : "cut off: the last record");
        lines_done(&lines);
    }
}

static void test_each_pair_swapped(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    for (size_t one = 0; one < RECORDS; one++) {
        for (size_t other = one + 1; other < RECORDS; other++) {
            skrfs_autobuf text = SKRFS_BUF((size_t)1 << 20), out = SKRFS_BUF((size_t)1 << 20);
            lines_make(&lines, RECORDS, &head);
            char *line = lines.lines[one];
            lines.lines[one] = lines.lines[other];
            lines.lines[other] = line;
            lines_join(&lines, &text);
            assert_true(check_texts(&text, 1, &plain, &out) > 0);
            assert_non_null(strstr(skrfs_buf_text(&out), "moved: record"));
            lines_done(&lines);
        }
    }
    lines_make(&lines, RECORDS, &head);
    char *line = lines.lines[4];
    lines.lines[4] = lines.lines[5];
    lines.lines[5] = line;
    assert_found(&lines, &plain, 1, "a:6: moved: record 5 stands behind record 6");
    lines_done(&lines);
}

static void insert(struct lines *lines, size_t at, const char *line) {
    memmove(lines->lines + at + 1, lines->lines + at, (lines->count - at) * sizeof(char *));
    lines->lines[at] = strdup(line);
    lines->count++;
}

static void test_each_line_doubled(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    for (size_t from = 0; from < RECORDS; from++) {
        for (size_t to = from + 1; to <= RECORDS; to++) {
            lines_make(&lines, RECORDS, &head);
            insert(&lines, to, lines.lines[from]);
            assert_found(&lines, &plain, 1, "duplicated: record");
            lines_done(&lines);
        }
    }
}

/* A forged record whose digest is right stands in front of the one whose place it claims, behind
 * it, or in its stead. */
static void test_a_record_put_in(void **state) {
    struct skrfs_audit_head head, fork;
    struct lines lines, forged = {.count = 0};
    struct skrfs_error err;
    (void)state;
    for (size_t at = 1; at + 1 < RECORDS; at++) {
        lines_make(&lines, RECORDS, &head);
        skrfs_autorecord record = {0};
        const char *before = lines.lines[at - 1];
        assert_ok(skrfs_audit_parse(before, strlen(before) - 1, &record, &err), err);
        fork = test_head();
        fork.seq = record.seq;
        memcpy(fork.digest, record.made, sizeof(fork.digest));
        lines_done(&lines);
        lines_add(&forged, &fork, NULL, SKRFS_AUDIT_GONE);
        lines_make(&lines, RECORDS, &head);
        insert(&lines, at, forged.lines[0]);
        assert_found(&lines, &plain, 1, "put in: another record");
        lines_done(&lines);
        lines_make(&lines, RECORDS, &head);
        insert(&lines, at + 1, forged.lines[0]);
        assert_found(&lines, &plain, 1, "put in: record");
        free(lines.lines[at]);
        lines.lines[at] = NULL;
        assert_found(&lines, &plain, 1, "that one was replaced");
        lines_done(&lines);
        lines_done(&forged);
    }
}

/* Exchanges one octet of the text for each of a few others. */
static void test_each_octet_changed(void **state) {
    static const char others[] = "0a9 \"}{\n\\x";
    skrfs_autobuf text = SKRFS_BUF((size_t)1 << 20);
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    lines_make(&lines, 5, &head);
    lines_join(&lines, &text);
    const struct skrfs_audit_check_options options = {.head = head};
    for (size_t i = 0; i < text.len; i++) {
        uint8_t before = text.data[i];
        for (const char *other = others; *other; other++) {
            skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
            if ((uint8_t)*other == before)
                continue;
            text.data[i] = (uint8_t)*other;
            if (check_texts(&text, 1, &options, &out) == 0) {
                print_error("octet %zu changed from '%c' to '%c'\n", i, before, *other);
                fail();
            }
        }
        text.data[i] = before;
    }
    lines_done(&lines);
}

static void test_a_changed_line_is_named(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        char wanted[64];
        lines_make(&lines, RECORDS, &head);
        char *time = strstr(lines.lines[i], "\"time\":\"2023");
        assert_non_null(time);
        time[10] = '9';
        (void)snprintf(wanted, sizeof(wanted), "a:%zu: changed: the digest", i + 1);
        const struct skrfs_audit_check_options options = {.head = head};
        assert_found(&lines, &options, 1, wanted);
        lines_done(&lines);
    }
}

static void test_cut_at_each_octet(void **state) {
    skrfs_autobuf text = SKRFS_BUF((size_t)1 << 20);
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    lines_make(&lines, 5, &head);
    lines_join(&lines, &text);
    const struct skrfs_audit_check_options options = {.head = head};
    while (text.len) {
        skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
        skrfs_buf_truncate(&text, text.len - 1);
        assert_true(check_texts(&text, 1, &options, &out) > 0);
        assert_true(check_texts(&text, 1, &plain, &out) > 0);
    }
    lines_done(&lines);
}

static void test_made_anew(void **state) {
    struct skrfs_audit_head head, anew = test_head();
    struct lines lines = {.count = 0}, old;
    (void)state;
    lines_make(&old, RECORDS, &head);
    const struct skrfs_audit_volume first = {.number = 1};
    lines_add(&lines, &anew, &first, SKRFS_AUDIT_BEGIN);
    for (size_t i = 2; i <= RECORDS; i++)
        lines_add(&lines, &anew, NULL, i == RECORDS ? SKRFS_AUDIT_END : SKRFS_AUDIT_GONE);
    /* Whoever makes the whole chain anew is found by what is known elsewhere alone. */
    assert_found(&lines, &plain, 0, "");
    const struct skrfs_audit_check_options options = {.head = head};
    assert_found(&lines, &options, 1, "the chain was made anew");
    lines_done(&lines);
    lines_done(&old);
}

static void test_another_chain_in_it(void **state) {
    struct skrfs_audit_head head, other = {.chain = "00000000000000ff"};
    struct lines lines;
    (void)state;
    lines_make(&lines, 4, &head);
    lines_add(&lines, &other, NULL, SKRFS_AUDIT_BEGIN);
    lines_add(&lines, &other, NULL, SKRFS_AUDIT_END);
    assert_found(&lines, &plain, 1, "a:5: from here on the records are of another chain");
    const struct skrfs_audit_check_options journal = {.journal = true};
    assert_found(&lines, &journal, 0, "");
    insert(&lines, 4, lines.lines[3]);
    assert_found(&lines, &journal, 0, "");
    lines_done(&lines);
}

/* Three files of three records; the oldest was not the first there ever was. */
static void make_files(struct skrfs_buf *texts, uint64_t oldest) {
    struct skrfs_audit_head head;
    struct lines lines;
    lines_make(&lines, 3, &head);
    lines_done(&lines);
    for (size_t i = 0; i < 3; i++) {
        struct lines made = {.count = 0};
        struct skrfs_audit_volume volume = {.number = 2 + i, .oldest = oldest};
        for (size_t n = 0; n < 3; n++)
            lines_add(&made, &head, n == 0 ? &volume : NULL,
                    i == 2 && n == 2 ? SKRFS_AUDIT_END : SKRFS_AUDIT_OPEN);
        texts[i] = SKRFS_BUF((size_t)1 << 20);
        lines_join(&made, &texts[i]);
        lines_done(&made);
    }
}

static void test_files_in_a_row(void **state) {
    struct skrfs_buf texts[3];
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
    (void)state;
    make_files(texts, 4);
    assert_int_equal(check_texts(texts, 3, &plain, &out), 0);
    assert_non_null(strstr(skrfs_buf_text(&out), "note: a:1: the records before 4 were in files"));
    assert_int_equal(check_texts(texts + 1, 2, &plain, &out), 1);
    assert_non_null(strstr(skrfs_buf_text(&out), "a:1: removed: the records from 4 to 6 should"));
    /* The first line of the oldest file. */
    char *second = strchr(skrfs_buf_text(&texts[0]), '\n') + 1;
    struct skrfs_buf shorter = texts[0];
    shorter.data = (uint8_t *)second;
    shorter.len -= (size_t)(second - skrfs_buf_text(&texts[0]));
    const struct skrfs_buf cut[] = {shorter, texts[1], texts[2]};
    assert_int_equal(check_texts(cut, 3, &plain, &out), 1);
    assert_non_null(strstr(skrfs_buf_text(&out), "removed: the records from 4 to 4 should"));
    const struct skrfs_buf gap[] = {texts[0], texts[2]};
    assert_int_equal(check_texts(gap, 2, &plain, &out), 1);
    assert_non_null(strstr(skrfs_buf_text(&out), "b:1: removed: between records 6 and 10 3 are"));
    for (size_t i = 0; i < 3; i++)
        skrfs_buf_done(&texts[i]);
}

static void test_an_end_that_is_missing_in_between(void **state) {
    struct skrfs_audit_head head;
    struct lines lines;
    (void)state;
    lines_make(&lines, 4, &head);
    lines_add(&lines, &head, NULL, SKRFS_AUDIT_BEGIN);
    lines_add(&lines, &head, NULL, SKRFS_AUDIT_END);
    assert_found(&lines, &plain, 0, "");
    lines_done(&lines);
    head = test_head();
    const struct skrfs_audit_volume first = {.number = 1};
    lines = (struct lines){.count = 0};
    lines_add(&lines, &head, &first, SKRFS_AUDIT_BEGIN);
    lines_add(&lines, &head, NULL, SKRFS_AUDIT_OPEN);
    lines_add(&lines, &head, NULL, SKRFS_AUDIT_BEGIN);
    lines_add(&lines, &head, NULL, SKRFS_AUDIT_END);
    assert_found(&lines, &plain, 0, "note: a:3: the mount before this one has no end");
    lines_done(&lines);
}

static void test_nothing(void **state) {
    struct lines none = {.count = 0};
    (void)state;
    assert_found(&none, &plain, 1, "a: there is no record");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_untouched),
            cmocka_unit_test(test_each_line_removed),
            cmocka_unit_test(test_each_pair_swapped),
            cmocka_unit_test(test_each_line_doubled),
            cmocka_unit_test(test_a_record_put_in),
            cmocka_unit_test(test_each_octet_changed),
            cmocka_unit_test(test_a_changed_line_is_named),
            cmocka_unit_test(test_cut_at_each_octet),
            cmocka_unit_test(test_made_anew),
            cmocka_unit_test(test_another_chain_in_it),
            cmocka_unit_test(test_files_in_a_row),
            cmocka_unit_test(test_an_end_that_is_missing_in_between),
            cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests_name("what was done to records", tests, NULL, NULL);
}
