#include <skrfs/crypto/encoding.h>
