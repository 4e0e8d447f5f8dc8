/* A file system and its store, served by a thread of their own on one end of a socket pair that
 * stands for /dev/fuse; the harness has the other end. Keys come from a source made here. */
#ifndef SKRFS_FUZZ_KEEPER_H
#define SKRFS_FUZZ_KEEPER_H

#include <pthread.h>
#include <skrfs/fs/fs.h>

/* ALPHA is its owner's (uid 0) alone, BETA everybody's, GAMMA nobody's, HELD waits for its release
 * until it is let go. Their plaintext begins with KEY_MARK and the file's name. */
enum { ALPHA, BETA, GAMMA, HELD, KEY_COUNT };
#define KEY_MARK "SECRET-OF-"

struct keeper {
    struct skrfs_store *store;
    struct skrfs_fs_handover *handover;
    struct skrfs_fs *fs;
    pthread_t thread;
    int ends[2]; /* [0] the harness's */
    int result;  /* of skrfs_fs_serve */
};

void keeper_new(struct keeper *keeper);
/* Everything is answered and freed; no secret is left. */
void keeper_free(struct keeper *keeper);
/* A keeper that died and the next one, on a new device with the same handover. */
void keeper_serve(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);

/* Releases of HELD that wait at present. */
unsigned keeper_waiting(void);
void keeper_let_go(void);

#endif
