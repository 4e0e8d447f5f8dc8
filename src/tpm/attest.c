#include <skrfs/tpm/attest.h>
