#include <skrfs/daemon/daemon.h>
