#include <skrfs/lab/lab.h>
