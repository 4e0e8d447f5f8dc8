#include <skrfs/access/access.h>
