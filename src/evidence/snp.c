#include <skrfs/evidence/evidence.h>
