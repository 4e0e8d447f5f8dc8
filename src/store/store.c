#include <skrfs/store/store.h>
