#include <skrfs/release/release.h>
