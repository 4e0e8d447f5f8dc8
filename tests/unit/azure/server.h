/* A small HTTP(S) server for a test; see server.py for how routes are written. */
#ifndef SKRFS_TESTS_AZURE_SERVER_H
#define SKRFS_TESTS_AZURE_SERVER_H

#include "support.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <sys/types.h>
#include <sys/wait.h>

struct server {
    pid_t pid;
    int stop_fd;
    char folder[64];
    char http[64], https[64]; /* origins */
    struct skrfs_buf ca;
};

static inline void server_read(
        const struct server *server, const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    char path[96];
    snprintf(path, sizeof(path), "%s/%s", server->folder, name);
    *out = SKRFS_BUF((size_t)8 * 1024 * 1024);
    assert_ok(skrfs_file_read(path, out, &err), err);
}

static inline void server_run(const struct server *server, const char *routes, int in, int out) {
    char script[512];
    const char *source = getenv("SKRFS_SOURCE");
    snprintf(script, sizeof(script), "%s/tests/unit/azure/server.py", source ? source : ".");
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(126);
    execlp("python3", "python3", script, server->folder, routes, (char *)NULL);
    _exit(127);
}

static inline void server_start(struct server *server, const char *routes) {
    int in[2], out[2], http = 0, https = 0;
    *server = (struct server){.folder = "/tmp/skrfs-azure-XXXXXX"};
    assert_non_null(mkdtemp(server->folder));
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        close(in[1]);
        close(out[0]);
        server_run(server, routes, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    server->stop_fd = in[1];
    FILE *ports = fdopen(out[0], "r");
    assert_non_null(ports);
    assert_int_equal(fscanf(ports, "%d %d", &http, &https), 2); // NOLINT(cert-err34-c)
    fclose(ports);
    snprintf(server->http, sizeof(server->http), "http://127.0.0.1:%d", http);
    snprintf(server->https, sizeof(server->https), "https://127.0.0.1:%d", https);
    server_read(server, "ca.pem", &server->ca);
}

static inline void server_done(struct server *server) {
    static const char *const names[] = {"log", "ca.pem", "key.pem"};
    char path[96];
    close(server->stop_fd);
    waitpid(server->pid, NULL, 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", server->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(server->folder);
    skrfs_buf_done(&server->ca);
}

/* How many requests the server got whose line has this text in it. */
static inline unsigned server_count(const struct server *server, const char *text) {
    skrfs_autobuf log = SKRFS_BUF(0);
    unsigned count = 0;
    server_read(server, "log", &log);
    char *rest = NULL;
    for (char *line = log.len ? strtok_r((char *)log.data, "\n", &rest) : NULL; line;
            line = strtok_r(NULL, "\n", &rest))
        count += strstr(line, text) != NULL;
    return count;
}

#endif
