/* The host's certificate table: in every order, and hostile. */
#include "certs.h"

enum { ENTRY_LEN = 24 };

static const uint8_t vcek[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4,
        0xb9, 0x3b, 0xe8, 0xac, 0xcd};
static const uint8_t vlek[16] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39,
        0xc0, 0x45, 0xa0, 0xb8, 0xa1};
static const uint8_t ask[16] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05,
        0xae, 0xf3, 0x27, 0xc7, 0x82};
static const uint8_t ark[16] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f,
        0xb6, 0x01, 0x4c, 0xd0, 0xae};
static const uint8_t crl[16] = {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1,
        0x9f, 0x88, 0xdc, 0x67, 0xea};

static struct family family;
static struct skrfs_chain *chain;
static struct skrfs_buf certs[3], pem;

static int set_up(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    family_new(&family);
    chain = leaf_new(&family, NULL, 0);
    pem = SKRFS_BUF(SKRFS_PEM_MAX);
    assert_ok(skrfs_chain_pem(chain, &pem, &err), err);
    for (size_t i = 0; i < 3; i++) {
        certs[i] = SKRFS_BUF(SKRFS_CERT_MAX);
        assert_ok(skrfs_chain_der(chain, i, &certs[i], &err), err);
    }
    return 0;
}

static int take_down(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++)
        skrfs_buf_done(&certs[i]);
    skrfs_buf_done(&pem);
    skrfs_chain_free(chain);
    family_done(&family);
    return 0;
}

struct entry {
    const uint8_t *guid;
    int cert; /* -1: none of ours */
};

/* As the kernel writes a guid_t. */
static void swap(uint8_t guid[16]) {
    static const uint8_t order[] = {3, 2, 1, 0, 5, 4, 7, 6};
    uint8_t was[16];
    memcpy(was, guid, 16);
    for (size_t i = 0; i < sizeof(order); i++)
        guid[i] = was[order[i]];
}

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* The entries, the end, then what they point at, in the opposite order and with a gap. */
static void make(const struct entry *entries, size_t count, bool kernel, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    uint8_t *space = NULL;
    *out = SKRFS_BUF(SAMPLE_MAX);
    assert_ok(skrfs_buf_extend(out, (count + 1) * ENTRY_LEN + 40, &space, &err), err);
    memset(space, 0, out->len);
    for (size_t i = count; i-- > 0;) {
        const struct skrfs_buf other = {.data = (uint8_t *)"revoked", .len = 7};
        const struct skrfs_buf *cert = entries[i].cert < 0 ? &other : &certs[entries[i].cert];
        size_t offset = out->len;
        assert_ok(skrfs_buf_append(out, cert->data, cert->len, &err), err);
        uint8_t *entry = out->data + i * ENTRY_LEN;
        memcpy(entry, entries[i].guid, 16);
        if (kernel)
            swap(entry);
        put32(entry + 16, (uint32_t)offset);
        put32(entry + 20, (uint32_t)cert->len);
    }
    assert_ok(skrfs_buf_extend(out, 64, &space, &err), err); /* the rest of the page */
    memset(space, 0, 64);
}

static const struct entry whole[] = {{vcek, 0}, {ask, 1}, {ark, 2}};

static void expect_chain(const struct entry *entries, size_t count, bool kernel) {
    struct skrfs_error err = {0};
    skrfs_autobuf table = {0}, text = SKRFS_BUF(SKRFS_PEM_MAX);
    make(entries, count, kernel, &table);
    assert_ok(skrfs_snp_table_pem(skrfs_buf_bytes(&table), &text, &err), err);
    assert_string_equal(skrfs_buf_text(&text), skrfs_buf_text(&pem));
}

static void a_chain_is_leaf_first(void **state) {
    static const struct entry orders[][5] = {
            {{vcek, 0}, {ask, 1}, {ark, 2}, {crl, -1}, {crl, -1}},
            {{crl, -1}, {ark, 2}, {ask, 1}, {crl, -1}, {vcek, 0}},
            {{ask, 1}, {vlek, 0}, {crl, -1}, {ark, 2}, {ark, 1}}, /* the first of a kind counts */
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(orders); i++)
        for (int kernel = 0; kernel <= 1; kernel++)
            expect_chain(orders[i], 5, kernel == 1);
}

static void a_leaf_may_be_alone(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf table = {0}, text = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autochain *alone = NULL;
    (void)state;
    make(whole, 1, false, &table);
    assert_ok(skrfs_snp_table_pem(skrfs_buf_bytes(&table), &text, &err), err);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&text), text.len, &alone, &err), err);
    assert_int_equal(skrfs_chain_len(alone), 1);
}

static void an_empty_table_is_no_certificate(void **state) {
    static const uint8_t zeros[4096];
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_PEM_MAX);
    (void)state;
    assert_ok(skrfs_snp_table_pem((struct skrfs_bytes){zeros, sizeof(zeros)}, &text, &err), err);
    assert_ok(skrfs_snp_table_pem((struct skrfs_bytes){zeros, 5}, &text, &err), err);
    assert_ok(skrfs_snp_table_pem((struct skrfs_bytes){zeros, 0}, &text, &err), err);
    assert_int_equal(text.len, 0);
}

static void refused(struct skrfs_bytes table, const char *why) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_PEM_MAX);
    assert_fails(skrfs_snp_table_pem(table, &text, &err), err, SKRFS_CLASS_BAD_ANSWER, why);
    assert_int_equal(text.len, 0);
}

static void a_table_points_inside_itself(void **state) {
    static const struct {
        size_t at;
        uint32_t offset, len;
    } wrong[] = {
            {0, 0xFFFFFFFF, 1},
            {0, 1, 0xFFFFFFFF},
            {0, 0xFFFFFFF0, 0x20},
            {0, 0x80000000, 0x80000000},
            {1, 1000000, 0},
            {2, 0, 1000000},
            {3, 0xFFFFFFFF, 0xFFFFFFFF},
    };
    static const struct entry entries[] = {{vcek, 0}, {ask, 1}, {ark, 2}, {crl, -1}};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        skrfs_autobuf table = {0};
        make(entries, 4, i % 2 == 0, &table);
        put32(table.data + wrong[i].at * ENTRY_LEN + 16, wrong[i].offset);
        put32(table.data + wrong[i].at * ENTRY_LEN + 20, wrong[i].len);
        refused(skrfs_buf_bytes(&table), "points outside itself");
    }
}

static void a_table_has_an_end(void **state) {
    skrfs_autobuf table = {0}, many = SKRFS_BUF(SAMPLE_MAX);
    (void)state;
    make(whole, 3, false, &table);
    for (size_t entries = 0; entries <= 3; entries++) {
        /* Three entries that point nowhere but at the front. */
        for (size_t i = 0; i < 3; i++) {
            put32(table.data + i * ENTRY_LEN + 16, 0);
            put32(table.data + i * ENTRY_LEN + 20, 1);
        }
        refused((struct skrfs_bytes){table.data, entries * ENTRY_LEN + 20}, "no end");
    }
    for (size_t i = 0; i < 40; i++) {
        struct skrfs_error err = {0};
        uint8_t entry[ENTRY_LEN] = {0};
        memcpy(entry, crl, 16);
        assert_ok(skrfs_buf_append(&many, entry, sizeof(entry), &err), err);
    }
    refused(skrfs_buf_bytes(&many), "too many entries");
}

static void a_table_needs_a_leaf_that_is_one(void **state) {
    static const struct entry no_leaf[] = {{ask, 1}, {crl, -1}, {ark, 2}};
    static const struct entry no_certificate[] = {{vcek, -1}, {ask, 1}};
    skrfs_autobuf table = {0}, other = {0}, short_one = {0};
    (void)state;
    make(no_leaf, 3, false, &table);
    refused(skrfs_buf_bytes(&table), "neither a VCEK nor a VLEK");
    make(no_certificate, 2, false, &other);
    refused(skrfs_buf_bytes(&other), "the host's certificate table: certificate 1 is malformed");
    make(whole, 3, false, &short_one);
    put32(short_one.data + ENTRY_LEN + 20, 0);
    refused(skrfs_buf_bytes(&short_one), "certificate 2 is malformed");
    put32(short_one.data + ENTRY_LEN + 20, (uint32_t)certs[1].len + 1);
    refused(skrfs_buf_bytes(&short_one), "behind certificate 2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_chain_is_leaf_first),
            cmocka_unit_test(a_leaf_may_be_alone),
            cmocka_unit_test(an_empty_table_is_no_certificate),
            cmocka_unit_test(a_table_points_inside_itself),
            cmocka_unit_test(a_table_has_an_end),
            cmocka_unit_test(a_table_needs_a_leaf_that_is_one),
    };
    return cmocka_run_group_tests_name("snp_table", tests, set_up, take_down);
}
