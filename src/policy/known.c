/* Claims that the attestation service's tokens have, from its documentation and from real tokens.
 */
#include "tree.h"

#include <string.h>
#include <strings.h>

#define INNER "x-ms-isolation-tee."

static const struct known_claim known[] = {
        {"x-ms-attestation-type", SHAPE_TYPE, 0, true},
        {"x-ms-compliance-status", SHAPE_STATUS, 0, true},
        {"x-ms-policy-hash", SHAPE_ANY, 0, false},
        {"x-ms-ver", SHAPE_ANY, 0, false},
        {"secureboot", SHAPE_BOOLEAN, 0, false},
        {"iss", SHAPE_ANY, 0, false},
        {"nonce", SHAPE_ANY, 0, false},
        {"x-ms-sevsnpvm-authorkeydigest", SHAPE_HEX, 96, true},
        {"x-ms-sevsnpvm-bootloader-svn", SHAPE_NUMBER, 0, false},
        {"x-ms-sevsnpvm-familyId", SHAPE_HEX, 32, false},
        {"x-ms-sevsnpvm-guestsvn", SHAPE_NUMBER, 0, false},
        {"x-ms-sevsnpvm-hostdata", SHAPE_HEX, 64, true},
        {"x-ms-sevsnpvm-idkeydigest", SHAPE_HEX, 96, true},
        {"x-ms-sevsnpvm-imageId", SHAPE_HEX, 32, false},
        {"x-ms-sevsnpvm-is-debuggable", SHAPE_BOOLEAN, 0, false},
        {"x-ms-sevsnpvm-launchmeasurement", SHAPE_HEX, 96, true},
        {"x-ms-sevsnpvm-microcode-svn", SHAPE_NUMBER, 0, false},
        {"x-ms-sevsnpvm-migration-allowed", SHAPE_BOOLEAN, 0, false},
        {"x-ms-sevsnpvm-reportdata", SHAPE_HEX, 128, true},
        {"x-ms-sevsnpvm-reportid", SHAPE_HEX, 64, true},
        {"x-ms-sevsnpvm-smt-allowed", SHAPE_BOOLEAN, 0, false},
        {"x-ms-sevsnpvm-snpfw-svn", SHAPE_NUMBER, 0, false},
        {"x-ms-sevsnpvm-tee-svn", SHAPE_NUMBER, 0, false},
        {"x-ms-sevsnpvm-vmpl", SHAPE_NUMBER, 0, false},
        {"x-ms-sgx-is-debuggable", SHAPE_BOOLEAN, 0, false},
        {"x-ms-sgx-mrenclave", SHAPE_HEX, 64, true},
        {"x-ms-sgx-mrsigner", SHAPE_HEX, 64, true},
        {"x-ms-sgx-product-id", SHAPE_NUMBER, 0, false},
        {"x-ms-sgx-svn", SHAPE_NUMBER, 0, false},
        {"x-ms-sgx-report-data", SHAPE_HEX, 128, true},
        {"x-ms-sgx-config-id", SHAPE_HEX, 128, false},
        {"x-ms-sgx-config-svn", SHAPE_NUMBER, 0, false},
        {"tdx_mrtd", SHAPE_HEX, 96, true},
        {"tdx_mrseam", SHAPE_HEX, 96, false},
        {"tdx_mrsignerseam", SHAPE_HEX, 96, false},
        {"tdx_mrconfigid", SHAPE_HEX, 96, true},
        {"tdx_mrowner", SHAPE_HEX, 96, false},
        {"tdx_mrownerconfig", SHAPE_HEX, 96, false},
        {"tdx_report_data", SHAPE_HEX, 128, true},
        {"tdx_rtmr0", SHAPE_HEX, 96, false},
        {"tdx_rtmr1", SHAPE_HEX, 96, false},
        {"tdx_rtmr2", SHAPE_HEX, 96, false},
        {"tdx_rtmr3", SHAPE_HEX, 96, false},
        {"tdx_seamsvn", SHAPE_NUMBER, 0, false},
        {"tdx_seam_attributes", SHAPE_HEX, 16, false},
        {"tdx_td_attributes", SHAPE_HEX, 16, false},
        {"tdx_td_attributes_debug", SHAPE_BOOLEAN, 0, false},
        {"tdx_td_attributes_key_locker", SHAPE_BOOLEAN, 0, false},
        {"tdx_td_attributes_perfmon", SHAPE_BOOLEAN, 0, false},
        {"tdx_td_attributes_protection_keys", SHAPE_BOOLEAN, 0, false},
        {"tdx_td_attributes_septve_disable", SHAPE_BOOLEAN, 0, false},
        {"tdx_tee_tcb_svn", SHAPE_HEX, 32, false},
        {"tdx_xfam", SHAPE_HEX, 16, false},
        {"attester_tcb_status", SHAPE_ANY, 0, false},
        {"dbgstat", SHAPE_ANY, 0, false},
        {"eat_profile", SHAPE_ANY, 0, false},
        {"intuse", SHAPE_ANY, 0, false},
};

/* Whole families: what their members are called is up to the guest or to the policy of the service.
 * The vmid and a key of the guest's own choosing name one guest. */
static const struct known_claim families[] = {
        {"x-ms-azurevm-vmid", SHAPE_ANY, 0, true},
        {"x-ms-azurevm-", SHAPE_ANY, 0, false},
        {"x-ms-runtime.", SHAPE_ANY, 0, false},
        {"x-ms-inittime.", SHAPE_ANY, 0, false},
        {"x-ms-policy.", SHAPE_ANY, 0, false},
};

const struct known_claim *skrfs_policy_known_claim(const char *name, const char **ret_near) {
    *ret_near = NULL;
    if (strncmp(name, INNER, strlen(INNER)) == 0)
        name += strlen(INNER);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
        if (strcasecmp(known[i].name, name) == 0)
            *ret_near = known[i].name;
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(families); i++)
        if (strncmp(families[i].name, name, strlen(families[i].name)) == 0)
            return &families[i];
    return NULL;
}
