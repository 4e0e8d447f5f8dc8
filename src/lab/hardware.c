#include <skrfs/lab/hardware.h>

#include "hardware.h"
#include "platform.h"
#include "proof.h"

#include <limits.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define HARDWARE_MAX ((size_t)256 * 1024)
#define FILE_NAME "hardware.json"
#define TD_ATTRIBUTE_DEBUG UINT64_C(1)
#define SNP_POLICY_DEBUG (UINT64_C(1) << 19)

/* The part of a lab's authorities that is inside its processor. */
struct skrfs_lab_hardware {
    struct skrfs_lab_pki *pki;
};

static int set_key(struct skrfs_json *json, const char *name, const struct skrfs_pkey *key,
        struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    struct skrfs_json *text = NULL;
    if (skrfs_lab_key_pem(key, &pem, err) < 0 ||
            skrfs_json_pack(&text, err, "s", skrfs_buf_text(&pem)) < 0)
        return -1;
    return skrfs_json_set(json, name, text, err);
}

static int set_chain(struct skrfs_json *json, const char *name, const struct skrfs_chain *chain,
        struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    struct skrfs_json *text = NULL;
    if (skrfs_chain_pem(chain, &pem, err) < 0 ||
            skrfs_json_pack(&text, err, "s", skrfs_buf_text(&pem)) < 0)
        return -1;
    return skrfs_json_set(json, name, text, err);
}

int skrfs_lab_hardware_save(
        const char *dir, const struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    char chip[2 * sizeof(pki->chip_id) + 1], path[PATH_MAX];
    skrfs_autojson *json = NULL;
    skrfs_autobuf text = SKRFS_BUF(HARDWARE_MAX);
    skrfs_hex_encode(pki->chip_id, sizeof(pki->chip_id), chip);
    if (skrfs_json_pack(&json, err, "{s:s, s:[i,i,i,i]}", "chip", chip, "tcb",
                pki->reported.bootloader, pki->reported.tee, pki->reported.snp,
                pki->reported.microcode) < 0 ||
            set_key(json, "vcek_key", pki->vcek.key, err) < 0 ||
            set_chain(json, "vcek_chain", pki->vcek.chain, err) < 0 ||
            set_key(json, "pck_key", pki->pck.key, err) < 0 ||
            set_chain(json, "pck_chain", pki->pck.chain, err) < 0 ||
            set_key(json, "quoting_key", pki->quoting, err) < 0 ||
            set_key(json, "uvm_key", pki->uvm.key, err) < 0 ||
            set_chain(json, "uvm_chain", pki->uvm.chain, err) < 0 ||
            skrfs_json_print(json, true, &text, err) < 0)
        return skrfs_wrap(err, FILE_NAME);
    (void)snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
    return skrfs_file_write(path, text.data, text.len, 0600, err);
}

static int get_key(const struct skrfs_json *json, const char *name, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) {
    const char *pem = NULL;
    if (skrfs_json_need_string(json, name, &pem, err) < 0)
        return -1;
    return skrfs_pkey_from_pem(pem, strlen(pem), ret_key, err);
}

static int get_chain(const struct skrfs_json *json, const char *name,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    const char *pem = NULL;
    if (skrfs_json_need_string(json, name, &pem, err) < 0)
        return -1;
    return skrfs_chain_from_pem(pem, strlen(pem), ret_chain, err);
}

static int get_chip(
        const struct skrfs_json *json, struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    const struct skrfs_json *tcb = NULL;
    const char *chip = NULL;
    if (skrfs_json_need_string(json, "chip", &chip, err) < 0 ||
            skrfs_hex_decode(chip, pki->chip_id, sizeof(pki->chip_id), err) < 0 ||
            skrfs_json_need_array(json, "tcb", &tcb, err) < 0)
        return -1;
    if (skrfs_json_size(tcb) != 4)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the lab's chip is malformed");
    pki->reported = (struct skrfs_lab_tcb){
            .bootloader = (uint8_t)skrfs_json_integer(skrfs_json_at(tcb, 0)),
            .tee = (uint8_t)skrfs_json_integer(skrfs_json_at(tcb, 1)),
            .snp = (uint8_t)skrfs_json_integer(skrfs_json_at(tcb, 2)),
            .microcode = (uint8_t)skrfs_json_integer(skrfs_json_at(tcb, 3)),
    };
    return 0;
}

static int get_all(
        const struct skrfs_json *json, struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    if (get_chip(json, pki, err) < 0 || get_key(json, "vcek_key", &pki->vcek.key, err) < 0 ||
            get_chain(json, "vcek_chain", &pki->vcek.chain, err) < 0 ||
            get_key(json, "pck_key", &pki->pck.key, err) < 0 ||
            get_chain(json, "pck_chain", &pki->pck.chain, err) < 0 ||
            get_key(json, "quoting_key", &pki->quoting, err) < 0 ||
            get_key(json, "uvm_key", &pki->uvm.key, err) < 0 ||
            get_chain(json, "uvm_chain", &pki->uvm.chain, err) < 0)
        return -1;
    return skrfs_random(pki->td_secret, sizeof(pki->td_secret), err);
}

static int load(const char *lab_dir, struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    char path[PATH_MAX];
    skrfs_autobuf text = SKRFS_BUF(HARDWARE_MAX);
    skrfs_autojson *json = NULL;
    (void)snprintf(path, sizeof(path), "%s/" FILE_NAME, lab_dir);
    if (skrfs_file_read(path, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, HARDWARE_MAX, &json, err) < 0 ||
            get_all(json, pki, err) < 0)
        return skrfs_wrap(err, "%s", path);
    return 0;
}

int skrfs_lab_hardware_load(
        const char *lab_dir, struct skrfs_lab_hardware **ret_hardware, struct skrfs_error *err) {
    struct skrfs_lab_hardware *hardware = calloc(1, sizeof(*hardware));
    if (!hardware)
        return skrfs_fail_memory(err);
    hardware->pki = calloc(1, sizeof(*hardware->pki));
    if (!hardware->pki)
        (void)skrfs_fail_memory(err);
    if (!hardware->pki || load(lab_dir, hardware->pki, err) < 0) {
        skrfs_lab_hardware_free(hardware);
        return -1;
    }
    *ret_hardware = hardware;
    return 0;
}

void skrfs_lab_hardware_free(struct skrfs_lab_hardware *hardware) {
    if (!hardware)
        return;
    skrfs_lab_pki_free(hardware->pki);
    free(hardware);
}

int skrfs_lab_snp_report(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_lab_snp_wish wish = {
            .policy = SKRFS_LAB_SNP_POLICY, .vmpl = facts->vmpl, .names_processor = true};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    if (facts->debug)
        wish.policy |= SNP_POLICY_DEBUG;
    memcpy(wish.report_data, report_data, sizeof(wish.report_data));
    memcpy(wish.host_data, facts->host_data, sizeof(wish.host_data));
    if (skrfs_lab_make_snp_report(hardware->pki, &wish, report, err) < 0)
        return -1;
    return skrfs_buf_append(out, report, sizeof(report), err);
}

int skrfs_lab_snp_table(
        const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out, struct skrfs_error *err) {
    static const uint8_t guids[3][16] = {
            {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8,
                    0xac, 0xcd}, /* VCEK */
            {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27,
                    0xc7, 0x82}, /* ASK */
            {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c,
                    0xd0, 0xae}, /* ARK */
    };
    uint8_t entries[4 * 24] = {0}; /* the last one ends the table */
    skrfs_autobuf certs = SKRFS_BUF(SKRFS_PEM_MAX);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(guids); i++) {
        size_t offset = certs.len;
        if (skrfs_chain_der(hardware->pki->vcek.chain, i, &certs, err) < 0)
            return -1;
        const uint32_t place[2] = {
                (uint32_t)(sizeof(entries) + offset), (uint32_t)(certs.len - offset)};
        memcpy(entries + 24 * i, guids[i], 16);
        for (size_t octet = 0; octet < 8; octet++)
            entries[24 * i + 16 + octet] = (uint8_t)(place[octet / 4] >> (8 * (octet % 4)));
    }
    if (skrfs_buf_append(out, entries, sizeof(entries), err) < 0)
        return -1;
    return skrfs_buf_append(out, certs.data, certs.len, err);
}

int skrfs_lab_snp_thim(
        const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_lab_thim_json(hardware->pki, false, &json, err) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

int skrfs_lab_snp_endorsement(
        const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_lab_guest_facts facts = {0};
    const uint8_t none[64] = {0};
    struct skrfs_lab_endorsement endorsement = {.svn = 100};
    skrfs_autobuf report = SKRFS_BUF(SKRFS_LAB_SNP_REPORT_LEN);
    struct skrfs_snp parsed;
    if (skrfs_lab_snp_report(hardware, none, &facts, &report, err) < 0 ||
            skrfs_snp_parse(skrfs_buf_bytes(&report), &parsed, err) < 0)
        return -1;
    memcpy(endorsement.measurement, parsed.measurement, sizeof(endorsement.measurement));
    return skrfs_lab_endorsement_make(&hardware->pki->uvm, &endorsement, out, err);
}

int skrfs_lab_td_quote(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t report[SKRFS_LAB_TD_REPORT_LEN];
    if (skrfs_lab_make_td_report(
                hardware->pki, report_data, facts->debug ? TD_ATTRIBUTE_DEBUG : 0, report, err) < 0)
        return -1;
    return skrfs_lab_quote_td(
            hardware->pki, (struct skrfs_bytes){report, sizeof(report)}, out, err);
}

int skrfs_lab_sgx_quote(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_lab_sgx_wish wish = {.debug = facts->debug};
    memcpy(wish.report_data, report_data, sizeof(wish.report_data));
    memcpy(wish.config_id, facts->host_data, sizeof(facts->host_data));
    return skrfs_lab_make_sgx_quote(hardware->pki, &wish, out, err);
}
