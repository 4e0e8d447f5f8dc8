#include <skrfs/courier/courier.h>
