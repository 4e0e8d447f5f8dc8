/* Authorities: who signs, which machines meet it, and what no token can be. */
#include "linted.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32
#define HEX96 HEX64 HEX32
#define SNP C("x-ms-attestation-type", "sevsnpvm")
#define UVM C("x-ms-compliance-status", "azure-compliant-uvm")
#define NO_DEBUG C("x-ms-sevsnpvm-is-debuggable", "false")

static void host(const char *url, int wanted, const char *finding) {
    char text[1024];
    snprintf(text, sizeof(text),
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"%s\",\"allOf\":[" STATUS "]}]}",
            url);
    says(text, wanted, finding);
}

static void knows_addresses(void **state) {
    (void)state;
    host("https://sharedweu.weu.attest.azure.net", 0, NULL);
    host("https://sharedweu.weu.attest.azure.net/", 0, NULL);
    host("https://contoso.eus2.attest.azure.net", 0, NULL);
    host("https://sharedeus.eus.test.attest.azure.net", 0, NULL);
    host("https://127.0.0.1:8443", 0, NULL);
    host("https://localhost:8443/", 0, NULL);
    host("https://maa.skrfs.localhost:8443", 0, NULL);
    host("https://contoso.attest.azure.us", 0, NULL);
    host("https://contoso.usgv.attest.azure.us", 0, NULL);
    host("https://attest.example.org", 0, "note 1:30 'attest.example.org' is no address of Azure");
    host("https://contoso.xyzzy.attest.azure.net", 0, "note 1:30 region 'xyzzy' is not one");
}

static void suggests_addresses(void **state) {
    (void)state;
    host("http://sharedweu.weu.attest.azure.net", -1, "error 1:30 is no https://");
    host("https://", -1, "is no https://");
    host("https://sharedweu.eus.attest.azure.net", 0,
            "warning 1:30 the shared provider of region 'eus' is 'sharedeus'");
    host("https://shraedweu.weu.attest.azure.net", 0,
            "did you mean 'sharedweu.weu.attest.azure.net'?");
    host("https://sharedweu.weuu.attest.azure.net", 0,
            "did you mean 'sharedweu.weu.attest.azure.net'?");
    host("https://contoso.weuu.attest.azure.net", 0,
            "did you mean 'contoso.weu.attest.azure.net'?");
    host("https://sharedweu.attest.azure.net", 0,
            "has no region: did you mean 'sharedweu.weu.attest.azure.net'?");
    host("https://sharedweu.weu.attest.azure.com", 0,
            "did you mean 'sharedweu.weu.attest.azure.net'?");
    host("https://sharedweu.weu.attset.azure.net", 0,
            "did you mean 'sharedweu.weu.attest.azure.net'?");
    host("https://attest.azure.net", 0, "names no provider and region");
    host("https://SharedWeu.weu.attest.azure.net", 0, "capital letters");
    host("https://sharedweu.weu.attest.azure.net/certs", 0, "goes on behind the host's name");
    host("https://sharedweu.weu.attest.azure.net:443", 0, "names a port");
    host("https://<provider>.weu.attest.azure.net", 0, "placeholder");
    host("https://sharedweu.weu.attest.azure.net\",\"x\":\"", -1, "unknown member 'x'");
}

static void tells_policies_that_any_machine_meets(void **state) {
    (void)state;
    says(ALL(C("secureboot", "true")), 0, "warning 3:4 any guest that this authority attests");
    says(ALL(C("x-ms-attestation-type", "azurevm")), 0, "any guest");
    says(ANY(STATUS "," C("secureboot", "true")), 0, "any guest");
    says(ALL(SNP "," UVM "," NO_DEBUG), 0, "any container group or SNP guest meets the policy");
    says(ALL(SNP "," NO_DEBUG "," C("x-ms-sevsnpvm-hostdata", HEX64)), 0,
            "the host data means nothing without");
    says(ALL(SNP "," NO_DEBUG "," C("x-ms-sevsnpvm-launchmeasurement", HEX96)), 0, NULL);
    says(ALL(C("x-ms-attestation-type", "tdxvm") "," C("tdx_td_attributes_debug", "false")), 0,
            "any trust domain meets the policy");
    says(ALL(IN("x-ms-attestation-type", "tdxvm") "," IN("tdx_td_attributes_debug", "false")), 0,
            "does not ask for Azure's verdict");
    says(ALL(C("x-ms-sgx-is-debuggable", "false") "," C("x-ms-attestation-type", "sgx")), 0,
            "any enclave meets the policy");
    says(ALL(C("x-ms-sgx-is-debuggable", "false") "," C("x-ms-sgx-mrsigner", HEX64)), 0,
            "any enclave of that signer");
}

static void asks_that_nobody_debugs(void **state) {
    (void)state;
    says(ALL(C("x-ms-sgx-mrenclave", HEX64)), 0,
            "an SGX enclave (type sgx) that can be debugged meets the policy: ask for "
            "x-ms-sgx-is-debuggable = false");
    says(ALL(SNP "," C("x-ms-sevsnpvm-launchmeasurement", HEX96)), 0,
            "ask for x-ms-sevsnpvm-is-debuggable = false");
    says(ALL(C("tdx_mrtd", HEX96)), 0, "ask for tdx_td_attributes_debug = false");
    says(ALL(C("tdx_mrtd", HEX96) "," C("dbgstat", "disabled")), 0, NULL);
    /* One way in is enough. */
    says(ALL(C("x-ms-sgx-mrenclave", HEX64) ",{\"anyOf\":[" C(
                 "x-ms-sgx-is-debuggable", "false") "," C("x-ms-sgx-svn", "3") "]}"),
            0, "an SGX enclave (type sgx) that can be debugged");
    says(ALL(IN("x-ms-attestation-type", "sevsnpvm")), 0,
            "ask for x-ms-isolation-tee.x-ms-sevsnpvm-is-debuggable = false");
}

static void finds_what_never_holds(void **state) {
    (void)state;
    says(ALL(SNP ",\n" C("x-ms-sgx-mrenclave", HEX64)), 0,
            "warning 5:2 never holds: the token of a SEV-SNP guest or container (type sevsnpvm) "
            "has no such claim");
    says(ALL(SNP ",\n" STATUS), 0, "did you mean 'x-ms-compliance-status'?");
    says(ALL(STATUS "," IN("x-ms-attestation-type", "sevsnpvm") ",\n" C(
                 "x-ms-sevsnpvm-hostdata", HEX64)),
            0,
            "warning 5:2 never holds: the token of a confidential VM on SEV-SNP (type azurevm) "
            "has it below: did you mean 'x-ms-isolation-tee.x-ms-sevsnpvm-hostdata'?");
    says(ALL(C("tdx_mrtd", HEX96) ",\n" SNP), 0,
            "never holds: the conditions around it ask for a trust domain");
    says(ALL(SNP "," UVM "," NO_DEBUG ",{\"anyOf\":[" C("x-ms-sevsnpvm-hostdata", HEX64) ",\n" C(
                 "x-ms-sgx-mrenclave", HEX64) "]}"),
            0, "warning 5:2 never holds");
    says(ALL(SNP ",\n{\"anyOf\":[" C("tdx_mrtd", HEX96) "," C("x-ms-sgx-svn", "1") "]}"), 0,
            "warning 5:1 never holds: the conditions around it ask for");
}

static void finds_contradictions(void **state) {
    (void)state;
    says(WITH(C("secureboot", "true") ",\n" C("secureboot", "false")), 0,
            "warning 6:25 never holds: the same claim has to equal 'true' as well");
    says(WITH(C("secureboot", "true") ",\n" C("secureboot", "true")), 0,
            "note 6:25 is asked for twice");
    says(WITH("{\"anyOf\":[\n" C("secureboot", "true") "," C("x-ms-azurevm-vmid", "A") "]}," C(
                 "secureboot", "false")),
            0, "warning 6:25 never holds");
    says(WITH("{\"anyOf\":[" C("secureboot", "true") "," C("secureboot", "false") "]}"), 0, NULL);
    says(WITH("{\"allOf\":[" C("secureboot", "true") "]},{\"anyOf\":[{\"allOf\":[" C(
                 "x-ms-azurevm-vmid", "A") ",\n" C("x-ms-azurevm-vmid", "B") "]}]}"),
            0, "warning 6:32 never holds");
}

static void tells_repeated_authorities(void **state) {
    (void)state;
    says("{\"version\":\"1.0.0\",\"anyOf\":["
         "{\"authority\":\"https://a.weu.attest.azure.net\",\"allOf\":[" STATUS "]},\n"
         "{\"authority\":\"https://a.weu.attest.azure.net/\",\"allOf\":[" STATUS "]}]}",
            0, "note 2:2 stands in the policy more than once");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(knows_addresses),
            cmocka_unit_test(suggests_addresses),
            cmocka_unit_test(tells_policies_that_any_machine_meets),
            cmocka_unit_test(asks_that_nobody_debugs),
            cmocka_unit_test(finds_what_never_holds),
            cmocka_unit_test(finds_contradictions),
            cmocka_unit_test(tells_repeated_authorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
