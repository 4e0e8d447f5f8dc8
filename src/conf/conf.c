#include <skrfs/conf/conf.h>
