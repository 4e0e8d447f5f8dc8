#include <skrfs/azure/cloud.h>
