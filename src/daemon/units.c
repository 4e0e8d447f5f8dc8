/* The interface is org.freedesktop.systemd1(5): GetUnit knows the units that are loaded, and loads
 * none; the property ActiveState of one is what systemctl is-active says. The connection is made
 * without descriptors in messages, and by the bus: the manager's own socket would be closed by a
 * daemon-reexec. */
#include "units.h"

#include <skrfs/base/clock.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define MANAGER "org.freedesktop.systemd1"
#define NO_UNIT "org.freedesktop.systemd1.NoSuchUnit"
#define ADDRESS "unix:path=/run/dbus/system_bus_socket"
/* Others' messages to this connection, which nobody wants, are thrown away so many at a time. */
#define UNWANTED_MAX 64
#define CONNECT_MS 2000

struct units {
    sd_bus *bus; /* NULL: `lack` says why */
    struct skrfs_error lack;
};

static int lost(struct units *units, int errnum, struct skrfs_error *err) {
    (void)skrfs_fail_errno(&units->lack, errnum, "the connection to the system bus");
    units->lack.kind = SKRFS_CLASS_UNAVAILABLE;
    units->bus = sd_bus_close_unref(units->bus);
    *err = units->lack;
    return -1;
}

/* Until the bus has said how it calls us: after that only messages are exchanged. */
static int greet(sd_bus *bus) {
    uint64_t deadline = skrfs_now_ns() + CONNECT_MS * SKRFS_MILLISECOND_NS;
    int result = 0;
    while (result >= 0 && sd_bus_is_ready(bus) == 0) {
        uint64_t left = skrfs_until_ns(deadline);
        if (!left)
            return -ETIMEDOUT;
        result = sd_bus_process(bus, NULL);
        if (result == 0)
            result = sd_bus_wait(bus, left / 1000);
    }
    return result < 0 ? result : 0;
}

static int connect_bus(sd_bus *bus) {
    const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
    int result = sd_bus_set_address(bus, address ? address : ADDRESS);
    if (result >= 0)
        result = sd_bus_set_bus_client(bus, 1);
    if (result >= 0)
        result = sd_bus_negotiate_fds(bus, 0);
    if (result >= 0)
        result = sd_bus_start(bus);
    return result < 0 ? result : greet(bus);
}

int units_new(struct units **ret_units, struct skrfs_error *err) {
    struct units *units = calloc(1, sizeof(*units));
    struct skrfs_error ignored;

    if (!units)
        return skrfs_fail_memory(err);
    int result = sd_bus_new(&units->bus);
    if (result >= 0)
        result = connect_bus(units->bus);
    if (result < 0)
        (void)lost(units, -result, &ignored);
    *ret_units = units;
    return 0;
}

void units_free(struct units *units) {
    if (!units)
        return;
    sd_bus_close_unref(units->bus);
    free(units);
}

static void drop_unwanted(struct units *units) {
    for (unsigned i = 0; i < UNWANTED_MAX && sd_bus_process(units->bus, NULL) > 0; i++)
        ;
}

/* Two strings in, one text or path out. An error that the manager answered is *ret_named's. */
static int call(struct units *units, const char *path, const char *interface, const char *member,
        const char *first, const char *second, sd_bus_message **ret_reply,
        sd_bus_error *ret_named) {
    sd_bus_message *question = NULL;
    int result =
            sd_bus_message_new_method_call(units->bus, &question, MANAGER, path, interface, member);
    if (result >= 0)
        result = sd_bus_message_append_basic(question, 's', first);
    if (result >= 0 && second)
        result = sd_bus_message_append_basic(question, 's', second);
    if (result >= 0)
        result = sd_bus_call(units->bus, question, UNITS_PATIENCE_US, ret_named, ret_reply);
    sd_bus_message_unref(question);
    return result;
}

static int refused(
        struct units *units, int result, const sd_bus_error *named, struct skrfs_error *err) {
    if (sd_bus_is_open(units->bus) <= 0)
        return lost(units, -result, err);
    return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "systemd answers: %s",
            named->message ? named->message : strerror(-result));
}

static int read_state(sd_bus_message *reply, bool *ret_active) {
    const char *state = NULL;
    int result = sd_bus_message_read(reply, "v", "s", &state);
    if (result < 0)
        return result;
    *ret_active = strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0;
    return 0;
}

static int ask_state(
        struct units *units, const char *path, bool *ret_active, struct skrfs_error *err) {
    sd_bus_error named = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    int result = call(units, path, "org.freedesktop.DBus.Properties", "Get", MANAGER ".Unit",
            "ActiveState", &reply, &named);
    if (result >= 0)
        result = read_state(reply, ret_active);
    if (result < 0)
        (void)refused(units, result, &named, err);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&named);
    return result < 0 ? -1 : 0;
}

int units_ask(struct units *units, const char *unit, bool *ret_active, struct skrfs_error *err) {
    sd_bus_error named = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    const char *path = NULL;
    int rc = -1;

    if (!units->bus) {
        *err = units->lack;
        return -1;
    }
    drop_unwanted(units);
    int result = call(units, "/org/freedesktop/systemd1", MANAGER ".Manager", "GetUnit", unit, NULL,
            &reply, &named);
    if (result >= 0)
        result = sd_bus_message_read_basic(reply, 'o', &path);
    if (result >= 0) {
        rc = ask_state(units, path, ret_active, err);
    } else if (sd_bus_error_has_name(&named, NO_UNIT)) {
        *ret_active = false;
        rc = 0;
    } else {
        rc = refused(units, result, &named, err);
    }
    sd_bus_message_unref(reply);
    sd_bus_error_free(&named);
    return rc;
}
