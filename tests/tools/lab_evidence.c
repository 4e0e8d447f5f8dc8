/* Prints evidence of a lab's own hardware in base64url, for clients in other languages:
 *
 *     lab_evidence LAB-FOLDER snp|snp-chain|tdx|sgx|sgx-debug REPORT-DATA-IN-HEX
 */
#include <skrfs/base/encode.h>
#include <skrfs/lab/hardware.h>
#include <stdio.h>
#include <string.h>

static int make(const struct skrfs_lab_hardware *hardware, const char *kind,
        const uint8_t report_data[64], struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_lab_guest_facts facts = {.debug = strcmp(kind, "sgx-debug") == 0};
    if (strcmp(kind, "snp") == 0)
        return skrfs_lab_snp_report(hardware, report_data, &facts, out, err);
    if (strcmp(kind, "snp-chain") == 0)
        return skrfs_lab_snp_thim(hardware, out, err);
    if (strcmp(kind, "tdx") == 0)
        return skrfs_lab_td_quote(hardware, report_data, &facts, out, err);
    return skrfs_lab_sgx_quote(hardware, report_data, &facts, out, err);
}

int main(int argc, char **argv) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_lab_hardware_free_p) struct skrfs_lab_hardware *hardware = NULL;
    skrfs_autobuf out = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf text = SKRFS_BUF((size_t)128 * 1024);
    uint8_t report_data[64];
    if (argc != 4)
        return 2;
    if (skrfs_lab_hardware_load(argv[1], &hardware, &err) < 0 ||
            skrfs_hex_decode(argv[3], report_data, sizeof(report_data), &err) < 0 ||
            make(hardware, argv[2], report_data, &out, &err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, out.data, out.len, &text, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    puts(skrfs_buf_text(&text));
    return 0;
}
