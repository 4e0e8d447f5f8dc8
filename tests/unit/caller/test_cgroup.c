/* Which unit and which container a control group's path says. */
#include "support.h"

#include <skrfs/caller/caller.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define POD "pod12345678-1234-1234-1234-123456789abc"

static const struct {
    const char *path, *unit, *container;
} rows[] = {
        {"/", "", ""},
        {"", "", ""},
        {"/init.scope", "init.scope", ""},
        {"/system.slice/nginx.service", "nginx.service", ""},
        {"/system.slice/nginx.service/", "nginx.service", ""},
        {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""},
        {"/a.slice/a-b.slice/x\\x2dy:z_1.service", "x\\x2dy:z_1.service", ""},
        {"/system.slice", "", ""},
        {"/system.slice/a b.service", "", ""},
        {"/system.slice/.service", "", ""},
        {"/system.slice/@x.service", "", ""},
        {"/system.slice/x.timer", "", ""},
        {"/system.slice/nginx", "", ""},
        {"/system.slice/nginx/evil.service", "", ""},
        /* escaped, as cg_escape does */
        {"/system.slice/_cpu.service", "cpu.service", ""},
        {"/system.slice/_", "", ""},
        /* what a unit makes below itself is its own, whatever it is called */
        {"/system.slice/evil.service/system.slice/nginx.service", "evil.service", ""},
        {"/system.slice/evil.service/docker/" ID, "evil.service", ""},
        {"/system.slice/evil.service/docker-" ID ".scope", "evil.service", ""},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service",
                "user@1000.service", ""},
        {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
                "user@1000.service", ""},
        {"/user.slice/libpod-" ID ".scope", "libpod-" ID ".scope", ""},
        /* docker */
        {"/docker/" ID, "", ID},
        {"/docker/" ID "/docker/" ID2, "", ID},
        {"/docker/" ID "/system.slice/nginx.service", "", ID},
        {"/docker/" ID2 "0", "", ""},
        {"/docker/0123456789ab", "", ""},
        {"/docker", "", ""},
        {"/system.slice/docker-" ID ".scope", "docker-" ID ".scope", ID},
        {"/system.slice/docker-" ID ".scope/x/docker/" ID2, "docker-" ID ".scope", ID},
        {"/system.slice/docker-0123.scope", "docker-0123.scope", ""},
        {"/system.slice/docker.service", "docker.service", ""},
        {"/mine/docker/" ID, "", ""},
        {"/system.slice/docker/" ID, "", ""},
        /* podman */
        {"/libpod_parent/libpod-" ID, "", ID},
        {"/libpod_parent/libpod-" ID "/container", "", ID},
        {"/libpod_parent/libpod-conmon-" ID, "", ""},
        {"/libpod_parent/" ID, "", ""},
        {"/machine.slice/libpod-" ID ".scope", "libpod-" ID ".scope", ID},
        {"/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", ID},
        {"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", ""},
        {"/system.slice/web.service/libpod-payload-" ID, "web.service", ""},
        /* Kubernetes: containerd and cri-o, with systemd and without */
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
         "cri-containerd-" ID ".scope",
                "cri-containerd-" ID ".scope", ID},
        {"/kubepods.slice/kubepods-pod1_2.slice/crio-" ID ".scope", "crio-" ID ".scope", ID},
        {"/kubepods.slice/kubepods-pod1_2.slice/crio-conmon-" ID ".scope",
                "crio-conmon-" ID ".scope", ""},
        {"/kubepods/burstable/" POD "/" ID, "", ID},
        {"/kubepods/besteffort/" POD "/crio-" ID, "", ID},
        {"/kubepods/" POD "/" ID, "", ID},
        {"/kubepods/" POD, "", ""},
        {"/kubepods/burstable", "", ""},
        {"/kubepods/" ID, "", ""},
        {"/system.slice/containerd.service/kubepods-pod1_2.slice:cri-containerd:" ID,
                "containerd.service", ID},
        {"/system.slice/containerd.service/x:cri-containerd:" ID "0", "containerd.service", ""},
        {"/system.slice/containerd.service/:cri-containerd:" ID, "containerd.service", ""},
        {"/system.slice/other.service/x:cri-containerd:" ID, "other.service", ""},
        /* systemd-nspawn: names */
        {"/machine.slice/machine-web.scope/payload", "machine-web.scope", "web"},
        {"/machine.slice/systemd-nspawn@web1.service/payload", "systemd-nspawn@web1.service",
                "web1"},
        {"/machine.slice/machine-a\\x2db.scope", "machine-a\\x2db.scope", ""},
        {"/machine.slice/machine-.scope", "machine-.scope", ""},
        /* upper case is not how anybody writes ids */
        {"/docker/F123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", ""},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        char unit[SKRFS_UNIT_MAX], container[SKRFS_CONTAINER_MAX];
        skrfs_cgroup_unit(rows[i].path, unit);
        skrfs_cgroup_container(rows[i].path, container);
        if (strcmp(unit, rows[i].unit) != 0)
            fail_msg("%s: unit '%s', not '%s'", rows[i].path, unit, rows[i].unit);
        if (strcmp(container, rows[i].container) != 0)
            fail_msg("%s: container '%s', not '%s'", rows[i].path, container, rows[i].container);
    }
}

static void test_long_names(void **state) {
    char path[SKRFS_CGROUP_MAX], unit[SKRFS_UNIT_MAX], container[SKRFS_CONTAINER_MAX];
    (void)state;
    for (size_t len = SKRFS_UNIT_MAX - 3; len < SKRFS_UNIT_MAX + 3; len++) {
        snprintf(path, sizeof path, "/system.slice/%0*d.service", (int)(len - 8), 0);
        skrfs_cgroup_unit(path, unit);
        assert_int_equal(strlen(unit), len < SKRFS_UNIT_MAX ? len : 0);
    }
    for (size_t len = SKRFS_CONTAINER_MAX - 3; len < SKRFS_CONTAINER_MAX + 3; len++) {
        snprintf(path, sizeof path, "/machine.slice/machine-%0*d.scope", (int)len, 0);
        skrfs_cgroup_container(path, container);
        assert_int_equal(strlen(container), len < SKRFS_CONTAINER_MAX ? len : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_rows),
            cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests_name("control groups", tests, NULL, NULL);
}
