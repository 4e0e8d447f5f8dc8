#include "parent.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/tpm/relay.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define END_GRACE_NS (2 * SKRFS_SECOND_NS)
#define END_STEP_NS (5 * SKRFS_MILLISECOND_NS)

typedef int child_main(const struct skrfs_child *child);

static struct skrfs_child belongings(const struct skrfs_parent *parent) {
    struct skrfs_child child = {.conf = parent->options->conf,
            .path = parent->options->mount->path,
            .parent = getpid(),
            .host = parent->options->mount->handed ? 1 : 0,
            .network = parent->options->network,
            .handover = parent->options->handover,
            .fuse = -1,
            .courier = -1,
            .witness = -1,
            .relay = -1,
            .scribe = -1,
            .journal = parent->journal,
            .notices = parent->notices[1]};
    memcpy(child.boot_id, parent->boot_id, sizeof(child.boot_id));
    return child;
}

/* The parent has one thread, so that a child may do everything after the fork. */
static int spawn(struct skrfs_parent *parent, enum skrfs_role role, const struct skrfs_child *child,
        child_main *run, struct skrfs_error *err) {
    struct process *process = &parent->processes[role];

    process->start_at_ns = SKRFS_NEVER_NS;
    process->begun_ns = skrfs_now_ns();
    pid_t pid = fork();
    if (pid < 0)
        return skrfs_fail_errno(err, errno, "start the %s process", skrfs_role_name(role));
    if (pid == 0) {
        skrfs_child_begin(child);
        if (role != SKRFS_ROLE_COURIER)
            skrfs_network_forget(child->network);
        if (role != SKRFS_ROLE_KEEPER)
            skrfs_ledger_free(parent->options->ledger);
        if (role != SKRFS_ROLE_SCRIBE)
            skrfs_scribe_page_free(parent->page);
        _exit(run(child));
    }
    process->pid = pid;
    return 0;
}

static int make_pair(int pair[2], struct skrfs_error *err) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return skrfs_fail_errno(err, errno, "make a socket pair");
    return 0;
}

static int spawn_with(struct skrfs_parent *parent, const int witness[2], const int relay[2],
        struct skrfs_error *err) {
    struct skrfs_child keeper = belongings(parent), other = belongings(parent);

    other.witness = witness[1];
    if (spawn(parent, SKRFS_ROLE_WITNESS, &other, skrfs_witness_main, err) < 0)
        return -1;
    other.witness = -1;
    other.relay = relay[1];
    if (relay[1] >= 0 && spawn(parent, SKRFS_ROLE_RELAY, &other, skrfs_relay_main, err) < 0)
        return -1;
    keeper.fuse = parent->options->fuse;
    keeper.ledger = parent->options->ledger;
    keeper.courier = parent->couriers[0];
    keeper.witness = witness[0];
    keeper.relay = relay[0];
    keeper.scribe = parent->scribes[0];
    return spawn(parent, SKRFS_ROLE_KEEPER, &keeper, skrfs_keeper_main, err);
}

int skrfs_spawn_keeper_set(struct skrfs_parent *parent, struct skrfs_error *err) {
    int witness[2] = {-1, -1}, relay[2] = {-1, -1};
    const char *tcti = parent->options->conf->tcti;
    bool wants_relay = tcti && !skrfs_tpm_tcti_is_device(tcti) &&
                       skrfs_keyside_wants_tpm(parent->options->conf);
    int result = make_pair(witness, err);

    if (result == 0 && wants_relay)
        result = make_pair(relay, err);
    if (result == 0)
        result = spawn_with(parent, witness, relay, err);
    for (unsigned i = 0; i < 2; i++) {
        skrfs_close_p(&witness[i]);
        skrfs_close_p(&relay[i]);
    }
    return result;
}

int skrfs_spawn_courier(struct skrfs_parent *parent, struct skrfs_error *err) {
    struct skrfs_child child = belongings(parent);

    child.courier = parent->couriers[1];
    return spawn(parent, SKRFS_ROLE_COURIER, &child, skrfs_courier_main, err);
}

int skrfs_spawn_scribe(struct skrfs_parent *parent, struct skrfs_error *err) {
    struct skrfs_child child = belongings(parent);

    child.scribe = parent->scribes[1];
    child.page = parent->page;
    return spawn(parent, SKRFS_ROLE_SCRIBE, &child, skrfs_scribe_main, err);
}

static dev_t below; /* of the parent; read in its child alone */

static int probe_main(const struct skrfs_child *child) {
    struct stat status;

    skrfs_fs_handover_free(child->handover);
    if (stat(child->path, &status) < 0)
        return errno;
    return status.st_dev == below ? PROBE_GONE : 0;
}

int skrfs_spawn_probe(struct skrfs_parent *parent, struct skrfs_error *err) {
    struct skrfs_child child = belongings(parent);

    below = parent->options->below;
    return spawn(parent, SKRFS_ROLE_PROBE, &child, probe_main, err);
}

void skrfs_process_end(struct skrfs_parent *parent, enum skrfs_role role) {
    pid_t pid = parent->processes[role].pid;

    if (pid == 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    parent->processes[role].pid = 0;
}

/* Reaps what has ended; true when nothing of `first` to the last role lives any more. */
static bool all_ended(struct skrfs_parent *parent, enum skrfs_role first, enum skrfs_role last) {
    bool ended = true;

    for (enum skrfs_role role = first; role <= last; role++) {
        struct process *process = &parent->processes[role];
        if (process->pid > 0 && waitpid(process->pid, NULL, WNOHANG) == process->pid)
            process->pid = 0;
        ended = ended && process->pid == 0;
    }
    return ended;
}

static void wait_for(struct skrfs_parent *parent, enum skrfs_role first, enum skrfs_role last,
        uint64_t grace_ns) {
    uint64_t deadline = skrfs_now_ns() + grace_ns;

    while (!all_ended(parent, first, last) &&
            skrfs_sleep_until(skrfs_now_ns() + END_STEP_NS, deadline))
        ;
}

static void end(struct skrfs_parent *parent, enum skrfs_role first, enum skrfs_role last) {
    for (enum skrfs_role role = first; role <= last; role++)
        if (parent->processes[role].pid > 0)
            kill(parent->processes[role].pid, SIGTERM);
    wait_for(parent, first, last, END_GRACE_NS);
    for (enum skrfs_role role = first; role <= last; role++)
        skrfs_process_end(parent, role);
}

/* The scribe comes last: what the keeper sent before its end is to be written. */
void skrfs_processes_end(struct skrfs_parent *parent, uint64_t keeper_grace_ns) {
    wait_for(parent, SKRFS_ROLE_KEEPER, SKRFS_ROLE_KEEPER, keeper_grace_ns);
    end(parent, 0, SKRFS_ROLE_SCRIBE - 1);
    end(parent, SKRFS_ROLE_SCRIBE, SKRFS_ROLE_COUNT - 1);
}
