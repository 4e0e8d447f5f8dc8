/* The network in a script: what is asked for is answered with the next answer of the input, through
 * the same code that takes libcurl's header lines and bodies. Pauses between attempts take no
 * time. */
#ifndef SKRFS_FUZZ_NETWORK_H
#define SKRFS_FUZZ_NETWORK_H

#include "../script.h"

/* The rest of the script answers from now on. Each part is a status line, header lines, an empty
 * line and a body; "@arc@" in a header line stands for `arc`. A part that does not begin with
 * "HTTP/" is a broken transfer; after the last part there are only those. */
void network_begin(struct script *script, const char *arc);

#endif
