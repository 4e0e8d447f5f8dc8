#include <skrfs/cli/cli.h>
