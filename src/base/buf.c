#include <skrfs/base/buf.h>
