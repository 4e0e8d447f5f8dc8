#include <skrfs/tee/tee.h>
