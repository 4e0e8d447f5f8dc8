/* The system bus and systemd on it, as far as they are asked whether a unit is active.
 *
 *     bus_manager SOCKET UNITS
 *
 * UNITS is a file of lines "NAME STATE", read anew for each question; a unit that is not in it is
 * not loaded. The state "silent" is answered by nothing, "refused" by an error, "gone" by the end
 * of the connection. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define UNITS "/org/freedesktop/systemd1/unit"

static const char *units_path;

static void state_of(const char *unit, char state[64]) {
    char line[512], name[256], value[64];
    FILE *units = fopen(units_path, "re");
    state[0] = 0;
    while (units && fgets(line, sizeof line, units))
        if (sscanf(line, "%255s %63s", name, value) == 2 && !strcmp(name, unit))
            snprintf(state, 64, "%s", value);
    if (units)
        fclose(units);
}

/* True when the unit's state forbids an ordinary answer. */
static int misbehave(sd_bus_message *message, const char *state) {
    if (!strcmp(state, "gone"))
        _exit(0);
    if (!strcmp(state, "refused"))
        sd_bus_reply_method_errorf(
                message, "org.freedesktop.DBus.Error.AccessDenied", "not for you");
    return !strcmp(state, "silent") || !strcmp(state, "refused");
}

static int answer_unit(sd_bus_message *message) {
    const char *unit;
    char state[64], *path = NULL;
    if (sd_bus_message_read(message, "s", &unit) < 0)
        return -1;
    state_of(unit, state);
    if (misbehave(message, state))
        return 1;
    if (!*state)
        return sd_bus_reply_method_errorf(
                message, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", unit);
    if (sd_bus_path_encode(UNITS, unit, &path) < 0)
        return -1;
    int rc = sd_bus_reply_method_return(message, "o", path);
    free(path);
    return rc;
}

static int answer_state(sd_bus_message *message) {
    const char *interface, *property;
    char state[64], *unit = NULL;
    if (sd_bus_message_read(message, "ss", &interface, &property) < 0 ||
            strcmp(interface, "org.freedesktop.systemd1.Unit") != 0 ||
            strcmp(property, "ActiveState") != 0 ||
            sd_bus_path_decode(sd_bus_message_get_path(message), UNITS, &unit) <= 0)
        return sd_bus_reply_method_errorf(
                message, "org.freedesktop.DBus.Error.InvalidArgs", "what?");
    state_of(unit, state);
    free(unit);
    return misbehave(message, state) ? 1 : sd_bus_reply_method_return(message, "v", "s", state);
}

static int on_message(sd_bus_message *message, void *context, sd_bus_error *error) {
    (void)context, (void)error;
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello"))
        return sd_bus_reply_method_return(message, "s", ":1.7");
    if (sd_bus_message_is_method_call(message, "org.freedesktop.systemd1.Manager", "GetUnit"))
        return answer_unit(message);
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get"))
        return answer_state(message);
    return 0;
}

static void serve(int fd) {
    sd_bus *bus = NULL;
    sd_id128_t id;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
            sd_bus_set_server(bus, 1, id) < 0 || sd_bus_set_trusted(bus, 1) < 0 ||
            sd_bus_add_filter(bus, NULL, on_message, NULL) < 0 || sd_bus_start(bus) < 0)
        _exit(1);
    for (;;) {
        int rc = sd_bus_process(bus, NULL);
        if (rc < 0 || (rc == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
            _exit(0);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    units_path = argv[2];
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    signal(SIGCHLD, SIG_IGN);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
            listen(listener, 8) < 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && fork() == 0)
            serve(fd);
        if (fd >= 0)
            close(fd);
    }
}
