#include "manager.h"

#include <skrfs/base/cleanup.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>

/* org.freedesktop.systemd1(5) */
#define MANAGER "org.freedesktop.systemd1"
#define UNITS "/org/freedesktop/systemd1/unit"
#define PRIVATE_BUS "unix:path=/run/systemd/private"
#define PATIENCE_US (UINT64_C(5) * 1000 * 1000)

SKRFS_DEFINE_CLEANUP(sd_bus, sd_bus_flush_close_unref)
#define autobus SKRFS_CLEANUP(sd_bus_flush_close_unref_p) sd_bus

static int open_private(sd_bus **ret_bus) {
    SKRFS_CLEANUP(sd_bus_flush_close_unref_p) sd_bus *bus = NULL;
    int result = sd_bus_new(&bus);
    if (result >= 0)
        result = sd_bus_set_address(bus, PRIVATE_BUS);
    if (result >= 0)
        result = sd_bus_start(bus);
    if (result >= 0)
        *ret_bus = skrfs_take(bus);
    return result;
}

/* Root's own way first, as systemctl(1) does: it is there without and before a message bus, and
 * after its end. */
static int open_bus(sd_bus **ret_bus, struct skrfs_error *err) {
    int result = open_private(ret_bus);
    if (result < 0)
        result = sd_bus_open_system(ret_bus);
    if (result < 0)
        return skrfs_fail_errno(err, -result, "ask the service manager");
    (void)sd_bus_set_method_call_timeout(*ret_bus, PATIENCE_US);
    return 0;
}

static int find_unit(char **ret_path, struct skrfs_error *err) {
    skrfs_autofree char *name = NULL;
    int result = sd_pid_get_unit(0, &name);
    if (result >= 0)
        result = sd_bus_path_encode(UNITS, name, ret_path);
    return result < 0 ? skrfs_fail_errno(err, -result, "find this process's unit") : 0;
}

/* A job is gone as soon as it is done: that is none, too. */
static int look_at_job(sd_bus *bus, const char *path, struct manager_unit *unit) {
    uint32_t number = 0;
    const char *job = NULL;
    skrfs_autofree char *type = NULL;
    sd_bus_message *answer = NULL;
    int result =
            sd_bus_get_property(bus, MANAGER, path, MANAGER ".Unit", "Job", NULL, &answer, "(uo)");
    if (result >= 0)
        result = sd_bus_message_read(answer, "(uo)", &number, &job);
    if (result >= 0 && number)
        (void)sd_bus_get_property_string(bus, MANAGER, job, MANAGER ".Job", "JobType", NULL, &type);
    sd_bus_message_unref(answer);
    unit->is_restarted = type && strcmp(type, "restart") == 0;
    unit->is_stopped = type && strcmp(type, "stop") == 0;
    return result;
}

int manager_look(struct manager_unit *ret_unit, struct skrfs_error *err) {
    autobus *bus = NULL;
    skrfs_autofree char *path = NULL;
    if (find_unit(&path, err) < 0 || open_bus(&bus, err) < 0)
        return -1;
    struct manager_unit unit = {0};
    int result = sd_bus_get_property_trivial(bus, MANAGER, path, MANAGER ".Service",
            "NFileDescriptorStore", NULL, 'u', &unit.stored);
    if (result >= 0)
        result = look_at_job(bus, path, &unit);
    if (result < 0)
        return skrfs_fail_errno(err, -result, "ask the service manager about this unit");
    *ret_unit = unit;
    return 0;
}
