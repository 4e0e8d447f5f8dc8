#include <skrfs/fs/fs.h>
