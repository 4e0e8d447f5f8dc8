#ifndef SKRFS_SRC_DAEMON_PARENT_H
#define SKRFS_SRC_DAEMON_PARENT_H

#include <skrfs/daemon/process.h>

/* The probe's exit status when the mount is gone again; others are an errno. */
#define PROBE_GONE 255

/* A child that lives, is to be started at a time, or neither. */
struct process {
    pid_t pid; /* 0: none */
    uint64_t begun_ns;
    uint64_t start_at_ns; /* SKRFS_NEVER_NS: not to be started */
    unsigned deaths;      /* early ones, in a row */
};

struct skrfs_parent {
    const struct skrfs_parent_options *options;
    int signals; /* signalfd */
    int notices[2];
    int couriers[2]; /* [0] the keeper's, [1] the courier's: both kept, so that neither sees an end
                      */
    int scribes[2];  /* likewise; -1: there is no audit */
    struct skrfs_scribe_page *page;
    bool journal;
    char boot_id[37];
    struct process processes[SKRFS_ROLE_COUNT];
    uint64_t end_by_ns;    /* when a keeper that has lost a helper must have ended; mostly NEVER */
    uint64_t answer_by_ns; /* end of the patience with a mount that begins; NEVER afterwards */
    bool keeper_ready, scribe_ready; /* once */
    bool answered;
    bool over;      /* leave the loop */
    bool unmounted; /* by somebody else */
    bool failed;
    struct skrfs_error err;
};

/* Starts the keeper with its witness and, when the TCTI wants one, its relay; or the courier; or
 * the probe. */
int skrfs_spawn_keeper_set(struct skrfs_parent *parent, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_spawn_courier(struct skrfs_parent *parent, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_spawn_scribe(struct skrfs_parent *parent, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_spawn_probe(struct skrfs_parent *parent, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Kills and reaps at once. */
void skrfs_process_end(struct skrfs_parent *parent, enum skrfs_role role);
/* SIGTERM to all, SIGKILL to those that live two seconds later; reaps. */
void skrfs_processes_end(struct skrfs_parent *parent, uint64_t keeper_grace_ns);

#endif
