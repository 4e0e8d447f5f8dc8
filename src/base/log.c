#include <skrfs/base/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest line with its newline: an error's message and some words around it. */
#define LINE_MAX_OCTETS 1536

static const struct {
    const char *word;     /* for a terminal or a file */
    const char *priority; /* for the journal: sd-daemon(3), the numbers of syslog(3) */
} levels[] = {
        [SKRFS_LOG_ERROR] = {"error: ", "<3>"},
        [SKRFS_LOG_WARNING] = {"warning: ", "<4>"},
        [SKRFS_LOG_INFO] = {"", "<6>"},
        [SKRFS_LOG_DEBUG] = {"debug: ", "<7>"},
};

static atomic_int most_verbose = SKRFS_LOG_INFO;
static _Atomic(const char *) speaker;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool to_journal;

/* systemd.exec(5): $JOURNAL_STREAM is "device:inode" of the journal's stream; standard error may
 * have been redirected since. */
static void look_for_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device;
    unsigned long long inode;
    char end;
    struct stat st;
    if (!stream || sscanf(stream, "%llu:%llu%c", &device, &inode, &end) != 2)
        return;
    to_journal = fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void skrfs_log_set_level(enum skrfs_log_level level) {
    most_verbose = (int)level;
}

enum skrfs_log_level skrfs_log_level(void) {
    return (enum skrfs_log_level)most_verbose;
}

/* A process that has a name forgets its environment soon. */
void skrfs_log_set_name(const char *name) {
    (void)pthread_once(&once, look_for_journal);
    speaker = name;
}

static size_t append(char *line, size_t len, const char *text) {
    int added = snprintf(line + len, LINE_MAX_OCTETS - len, "%s", text);
    return added < 0 ? len : len + (size_t)added;
}

static size_t begin_line(char *line, enum skrfs_log_level level) {
    const char *name = speaker;
    size_t len = 0;
    if (to_journal)
        len = append(line, len, levels[level].priority);
    if (name && strlen(name) < 64) {
        len = append(line, len, name);
        len = append(line, len, ": ");
    }
    return to_journal ? len : append(line, len, levels[level].word);
}

void skrfs_log(enum skrfs_log_level level, const char *format, ...) {
    if ((int)level > most_verbose)
        return;
    int saved = errno;
    pthread_once(&once, look_for_journal);
    char line[LINE_MAX_OCTETS + 1];
    size_t begin = begin_line(line, level);
    va_list args;
    va_start(args, format);
    int added = vsnprintf(line + begin, LINE_MAX_OCTETS - begin, format, args);
    va_end(args);
    size_t end = added < 0 ? begin : begin + (size_t)added;
    if (end > LINE_MAX_OCTETS - 1)
        end = LINE_MAX_OCTETS - 1;
    for (size_t i = begin; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[end] = '\n';
    /* One write, so that lines of several processes do not mix. There is nobody to tell if it
     * fails. */
    ssize_t written = write(STDERR_FILENO, line, end + 1);
    (void)written;
    errno = saved;
}
