/* What the keeper and its witness say to each other: one packet each, of fixed size. */
#ifndef SKRFS_SRC_DAEMON_WITNESS_H
#define SKRFS_SRC_DAEMON_WITNESS_H

#include <skrfs/access/access.h>

enum witness_kind {
    WITNESS_CALLER = 1, /* who is this? */
    WITNESS_UNIT,       /* is this unit active? */
};

struct witness_question {
    uint32_t number;
    uint32_t kind; /* of enum witness_kind */
    /* WITNESS_CALLER */
    uid_t uid;
    gid_t gid;
    pid_t pid;
    uint32_t facts;
    /* WITNESS_UNIT */
    char unit[SKRFS_UNIT_MAX];
};

/* Of a unit. */
enum witness_state { WITNESS_UNKNOWN, WITNESS_INACTIVE, WITNESS_ACTIVE };

/* Texts end within their room. What follows from the control group is the keeper's to find out. */
struct witness_testimony {
    uint32_t number; /* of the question */
    /* WITNESS_CALLER */
    uint32_t known;
    uint32_t group_count;
    gid_t groups[SKRFS_GROUPS_MAX];
    char exe[SKRFS_PATH_MAX];
    uint8_t sha256[32];
    char verity[SKRFS_VERITY_MAX];
    char cgroup[SKRFS_CGROUP_MAX];
    uint64_t spaces[SKRFS_NS_COUNT];
    uint32_t hosts; /* bits, by enum skrfs_namespace */
    char label[SKRFS_LABEL_MAX];
    char lack[sizeof((struct skrfs_caller *)NULL)->lack]; /* of a unit: why it is unknown */
    /* WITNESS_UNIT */
    uint32_t state; /* of enum witness_state */
};

#endif
