#include <skrfs/json/json.h>
