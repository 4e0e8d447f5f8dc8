#include <skrfs/policy/policy.h>
