#include <skrfs/client/wiring.h>
