/* What is loaded in a TPM: asked over a connection of its own, so that nothing can stay there
 * unseen. */
#ifndef SKRFS_TESTS_HANDLES_H
#define SKRFS_TESTS_HANDLES_H

#include <stdlib.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

/* Transient objects, loaded sessions and saved sessions; 1000 when the TPM cannot be asked. */
static inline unsigned handles_loaded(const char *tcti_name) {
    static const uint32_t first[] = {
            TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST, TPM2_ACTIVE_SESSION_FIRST};
    TSS2_TCTI_CONTEXT *tcti = NULL;
    ESYS_CONTEXT *esys = NULL;
    unsigned count = 0;
    if (Tss2_TctiLdr_Initialize(tcti_name, &tcti) != 0 || Esys_Initialize(&esys, tcti, NULL) != 0)
        return 1000;
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        TPMI_YES_NO more = 0;
        TPMS_CAPABILITY_DATA *data = NULL;
        if (Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                    first[i], TPM2_MAX_CAP_HANDLES, &more, &data) != 0)
            count = 1000;
        else
            count += data->data.handles.count;
        Esys_Free(data);
    }
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
    return count;
}

#endif
