/* The variables by which platforms say how to log in: one a line. */
#include "../../../src/client/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER", "IMDS_ENDPOINT"};
enum { HEADER = 5 };

/* Ends every header, so that no message has it by itself. */
#define MARK "-0f1e2d3c4b5a"

static bool tells_header(const char *message) {
    if (!strstr(message, MARK))
        return false;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        const char *other = i != HEADER ? getenv(names[i]) : NULL;
        if (other && strstr(other, MARK))
            return false;
    }
    return true;
}

static void set_header(const char *line) {
    char value[512];
    (void)snprintf(value, sizeof value, "%.400s" MARK, line);
    setenv(names[HEADER], value, 1);
}

static void prepare(const char *base) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    struct skrfs_network network = {0};
    if (skrfs_conf_parse("base", base, strlen(base), &conf, &err) < 0)
        abort();
    if (skrfs_network_open(conf, &network, &err) == 0) {
        skrfs_network_forget(&network);
        skrfs_network_done(&network);
    } else if (!memchr(err.message, 0, sizeof(err.message)) || tells_header(err.message)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
#define VAULT "[attestation]\nurl = https://a.net\n[vault v]\nurl = https://v.vault.azure.net\n"
    static const char *const bases[] = {VAULT "identity = system\n", VAULT "identity = workload\n",
            VAULT "identity = secret-file:/nonexistent\n",
            VAULT "identity = client-id:x\n[login]\nmanaged = app-service\n",
            VAULT "[login]\nmanaged = arc\n", VAULT "[login]\nmanaged = imds\nclient = c\n",
            VAULT "[tee]\nkind = snp\ncertificates = thim  cache\n"};
    char *text = strndup((const char *)data, size);
    char *rest = text;
    if (!text)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        char *line = strsep(&rest, "\n");
        if (!line || strcmp(line, "-") == 0)
            unsetenv(names[i]);
        else if (i == HEADER)
            set_header(line);
        else
            setenv(names[i], line, 1);
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bases); i++)
        prepare(bases[i]);
    skrfs_environment_wipe();
    if (getenv("IDENTITY_HEADER"))
        abort();
    free(text);
    return 0;
}
