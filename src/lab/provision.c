#include "provision.h"

#include <skrfs/base/file.h>
#include <skrfs/tpm/provision.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define AK_CERT_NV_LEN ((size_t)2048) /* swtpm's largest index; Azure's is 4096 */

static int measure(void *context, unsigned pcr, const uint8_t digest[32], struct skrfs_error *err) {
    return pcr < 8 ? skrfs_tpm_pcr_extend(context, pcr, digest, err) : 0;
}

static int write_file(
        const char *dir, const char *name, struct skrfs_bytes data, struct skrfs_error *err) {
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return skrfs_file_write(path, data.data, data.len, 0600, err);
}

/* Boots: the log is written and its events are extended, so that the one leads to the other. */
static int boot(struct skrfs_tpm *tpm, const char *dir, struct skrfs_error *err) {
    skrfs_autobuf log = SKRFS_BUF(SKRFS_LAB_EVENT_LOG_MAX);
    uint8_t locality = 0;
    if (skrfs_lab_event_log(&log, err) < 0 ||
            skrfs_lab_event_log_walk(skrfs_buf_bytes(&log), measure, tpm, &locality, err) < 0)
        return skrfs_wrap(err, "measure the boot");
    return write_file(dir, "event-log", skrfs_buf_bytes(&log), err);
}

static int make_ak(struct skrfs_tpm *tpm, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    struct skrfs_tpm_blob blob;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    if (skrfs_tpm_make_ak(tpm, &blob, public.n, err) < 0)
        return -1;
    return skrfs_pkey_from_public(&public, ret_key, err);
}

static int store_ak_certificate(const struct skrfs_lab *lab, struct skrfs_tpm *tpm,
        const struct skrfs_pkey *ak, struct skrfs_error *err) {
    skrfs_autobuf cert = SKRFS_BUF(AK_CERT_NV_LEN);
    if (skrfs_lab_pki_ak_certificate(lab->pki, ak, &cert, err) < 0)
        return -1;
    return skrfs_tpm_nv_define(
            tpm, SKRFS_TPM_NV_AK_CERT, skrfs_buf_bytes(&cert), AK_CERT_NV_LEN, err);
}

/* The report of today's hosts has a second key and 2600 octets, more than swtpm's indexes hold. It
 * is written beside, for a test that puts itself between the TPM and its reader. */
static int write_full_report(const struct skrfs_lab *lab, const char *dir,
        const struct skrfs_pkey *ak, struct skrfs_error *err) {
    skrfs_autopkey *ek = NULL;
    skrfs_autobuf claims = SKRFS_BUF(SKRFS_LAB_HCL_FULL_LEN);
    skrfs_autobuf report = SKRFS_BUF(SKRFS_LAB_HCL_FULL_LEN);
    if (skrfs_pkey_new_rsa(2048, &ek, err) < 0 || skrfs_lab_claims(ak, ek, &claims, err) < 0 ||
            skrfs_lab_hcl_report(lab->pki, lab->tdx, skrfs_buf_bytes(&claims),
                    SKRFS_LAB_HCL_FULL_LEN, &report, err) < 0)
        return -1;
    return write_file(dir, "hcl-2600.bin", skrfs_buf_bytes(&report), err);
}

static int store_report(const struct skrfs_lab *lab, struct skrfs_tpm *tpm, const char *dir,
        const struct skrfs_pkey *ak, struct skrfs_error *err) {
    skrfs_autobuf claims = SKRFS_BUF(SKRFS_LAB_HCL_NV_LEN);
    skrfs_autobuf report = SKRFS_BUF(SKRFS_LAB_HCL_NV_LEN);
    if (skrfs_lab_claims(ak, NULL, &claims, err) < 0 ||
            skrfs_lab_hcl_report(lab->pki, lab->tdx, skrfs_buf_bytes(&claims), SKRFS_LAB_HCL_NV_LEN,
                    &report, err) < 0 ||
            skrfs_tpm_nv_define(tpm, SKRFS_TPM_NV_HCL_REPORT, skrfs_buf_bytes(&report),
                    SKRFS_LAB_HCL_NV_LEN, err) < 0)
        return -1;
    return write_full_report(lab, dir, ak, err);
}

static int fill(const struct skrfs_lab *lab, const char *dir,
        const struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    skrfs_autopkey *ak = NULL;
    if (skrfs_tpm_open(machine->tcti, &tpm, err) < 0)
        return -1;
    if ((!machine->borrowed && boot(tpm, dir, err) < 0) || make_ak(tpm, &ak, err) < 0 ||
            store_ak_certificate(lab, tpm, ak, err) < 0)
        return -1;
    return store_report(lab, tpm, dir, ak, err);
}

static int start_swtpm(
        const char *dir, struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    char state[4096];
    (void)snprintf(state, sizeof(state), "%s/tpm", dir);
    if (mkdir(state, 0700) < 0)
        return skrfs_fail_errno(err, errno, "make %s", state);
    if (skrfs_lab_swtpm_start(dir, machine, err) < 0)
        return skrfs_wrap(err, "start the software TPM");
    return 0;
}

int skrfs_lab_machine_start(const struct skrfs_lab *lab, const char *dir, const char *tcti,
        struct skrfs_lab_machine *ret_machine, struct skrfs_error *err) {
    struct skrfs_lab_machine machine = {.borrowed = tcti != NULL};
    if (tcti && strlen(tcti) > 100)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the TPM's name is too long: '%.100s...'", tcti);
    if (tcti)
        (void)snprintf(machine.tcti, sizeof(machine.tcti), "%s", tcti);
    else if (start_swtpm(dir, &machine, err) < 0)
        return -1;
    if (fill(lab, dir, &machine, err) < 0) {
        skrfs_lab_machine_stop(&machine);
        return skrfs_wrap(err, "set the %s TPM up", tcti ? "given" : "software");
    }
    *ret_machine = machine;
    return 0;
}
