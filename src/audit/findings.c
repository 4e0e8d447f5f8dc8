/* What was done to a chain of records, said as precisely as its digests allow. A changed line may
 * say anything: its place is counted from its neighbours'. */
#include "room.h"

#include <skrfs/base/encode.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Numbers that are missing, and the line behind them. */
struct gap {
    uint64_t first, last;
    const struct audit_line *behind;
};

struct walk {
    struct audit_report *report;
    const struct audit_line *const *lines;
    size_t count;
    const struct audit_line *
            *main; /* in order, without what was put in: what the rest is held to */
    size_t main_count;
    struct gap *gaps;
    size_t gap_count;
    const struct audit_line *odd; /* the last changed line since the last of `main` */
    uint64_t odd_count;           /* and how many these are */
    uint64_t odd_before;          /* those in front of the first */
};

void audit_report(struct audit_report *report, const struct audit_line *line, bool note,
        const char *format, ...) {
    char text[512];
    va_list args;
    const struct skrfs_audit_check *check = report->check;
    const char *file = line ? check->files[line->file] : check->file_count ? check->files[0] : "";

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report->findings += !note;
    if (report->failed)
        return;
    int result = line ? skrfs_buf_printf(report->out, report->err, "%s%s:%llu: %s\n",
                                note ? "note: " : "", file, (unsigned long long)line->number, text)
                      : skrfs_buf_printf(report->out, report->err, "%s%s: %s\n",
                                note ? "note: " : "", file, text);
    report->failed = result < 0;
}

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, SKRFS_AUDIT_DIGEST) == 0;
}

static const struct audit_line *last_of(const struct walk *walk) {
    return walk->main_count ? walk->main[walk->main_count - 1] : NULL;
}

/* The line that counts as record `seq`, NULL when there is none. */
static const struct audit_line **main_at(const struct walk *walk, uint64_t seq) {
    size_t low = 0, high = walk->main_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (walk->main[middle]->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < walk->main_count && walk->main[low]->seq == seq ? &walk->main[low] : NULL;
}

static void add_gap(
        struct walk *walk, uint64_t first, uint64_t last, const struct audit_line *behind) {
    walk->gaps[walk->gap_count++] = (struct gap){first, last, behind};
}

/* Takes a number out of the gaps; false when it is in none. The array has room for one more gap a
 * line. */
static bool fill_gap(struct walk *walk, uint64_t seq) {
    for (size_t i = 0; i < walk->gap_count; i++) {
        struct gap *gap = &walk->gaps[i];
        if (seq < gap->first || seq > gap->last)
            continue;
        uint64_t last = gap->last;
        gap->last = seq - 1;
        if (seq < last)
            add_gap(walk, seq + 1, last, gap->behind);
        return true;
    }
    return false;
}

static void check_link(
        struct walk *walk, const struct audit_line *before, const struct audit_line *line) {
    if (!same(line->prev, before->made))
        audit_report(walk->report, line, false,
                "record %llu does not follow record %llu as it is at line %llu: that one was "
                "replaced",
                (unsigned long long)line->seq, (unsigned long long)before->seq,
                (unsigned long long)before->number);
}

static void push(struct walk *walk, const struct audit_line *line) {
    walk->main[walk->main_count++] = line;
    walk->odd = NULL;
    walk->odd_count = 0;
}

static void take_first(struct walk *walk, const struct audit_line *line) {
    static const uint8_t zeros[SKRFS_AUDIT_DIGEST];

    if (line->seq == 1 && (walk->odd_count || !same(line->prev, zeros)))
        audit_report(walk->report, line, false, "record 1 is not the beginning of a chain");
    walk->odd_before = walk->odd_count;
    push(walk, line);
}

static void take_next(struct walk *walk, const struct audit_line *line) {
    const struct audit_line *last = last_of(walk);
    uint64_t expected = last->seq + 1 + walk->odd_count;

    if (line->seq > expected)
        add_gap(walk, expected, line->seq - 1, line);
    else if (line->seq == last->seq + 1)
        check_link(walk, last, line);
    else if (line->seq == expected && walk->odd->readable &&
             !same(line->prev, walk->odd->written) && !same(line->prev, walk->odd->made))
        audit_report(walk->report, line, false,
                "record %llu does not follow the changed line %llu: that one was replaced",
                (unsigned long long)line->seq, (unsigned long long)walk->odd->number);
    if (line->begins && !last->ends && line->seq == last->seq + 1)
        audit_report(walk->report, line, true,
                "the mount before this one has no end: it was killed, or its last records were cut "
                "off");
    push(walk, line);
}

/* Whether the next unchanged line follows this one rather than `other`. */
static bool is_followed(const struct walk *walk, size_t at, const struct audit_line *other) {
    const struct audit_line *line = walk->lines[at];

    for (size_t i = at + 1; i < walk->count; i++)
        if (walk->lines[i]->intact && walk->lines[i]->seq == line->seq + 1)
            return same(walk->lines[i]->prev, line->made) &&
                   !same(walk->lines[i]->prev, other->made);
    return false;
}

static void take_second(struct walk *walk, size_t at, const struct audit_line **there) {
    const struct audit_line *line = walk->lines[at], *first = *there;
    bool twice = same(first->made, line->made);

    if (twice && walk->report->check->options.journal)
        return;
    if (twice) {
        audit_report(walk->report, line, false, "duplicated: record %llu is at line %llu already",
                (unsigned long long)line->seq, (unsigned long long)first->number);
        return;
    }
    if (is_followed(walk, at, first)) {
        *there = line;
        audit_report(walk->report, first, false,
                "put in: another record %llu is at line %llu, and the next one follows that",
                (unsigned long long)line->seq, (unsigned long long)line->number);
        return;
    }
    audit_report(walk->report, line, false, "put in: record %llu is at line %llu",
            (unsigned long long)line->seq, (unsigned long long)first->number);
}

static void take_moved(struct walk *walk, const struct audit_line *line) {
    const struct audit_line **behind = main_at(walk, line->seq + 1);
    const struct audit_line **before = main_at(walk, line->seq - 1);

    if (!walk->report->check->options.journal)
        audit_report(walk->report, line, false, "moved: record %llu stands behind record %llu",
                (unsigned long long)line->seq, (unsigned long long)last_of(walk)->seq);
    if (behind)
        check_link(walk, line, *behind);
    if (before)
        check_link(walk, *before, line);
}

static void take(struct walk *walk, size_t at) {
    const struct audit_line *line = walk->lines[at], *last = last_of(walk);

    if (!line->intact) {
        audit_report(walk->report, line, false,
                line->readable ? "changed: the digest is not that of the record's text"
                               : "changed: this is no whole record");
        walk->odd = line;
        walk->odd_count++;
    } else if (!last) {
        take_first(walk, line);
    } else if (line->seq > last->seq) {
        take_next(walk, line);
    } else {
        const struct audit_line **there = main_at(walk, line->seq);
        if (there)
            take_second(walk, at, there);
        else {
            (void)fill_gap(walk, line->seq);
            take_moved(walk, line);
        }
    }
}

static void tell_gaps(struct walk *walk) {
    for (size_t i = 0; i < walk->gap_count; i++) {
        const struct gap *gap = &walk->gaps[i];
        if (gap->first > gap->last)
            continue;
        audit_report(walk->report, gap->behind, false,
                "removed: between records %llu and %llu %llu are missing",
                (unsigned long long)gap->first - 1, (unsigned long long)gap->last + 1,
                (unsigned long long)gap->last - gap->first + 1);
    }
}

/* What the newest file says is the oldest record that must be there; 0: nothing. */
static uint64_t oldest_kept(const struct walk *walk) {
    for (size_t i = walk->main_count; i > 0; i--)
        if (walk->main[i - 1]->opens)
            return walk->main[i - 1]->oldest;
    return 0;
}

static void check_beginning(struct walk *walk) {
    const struct audit_line *first = walk->main[0];
    uint64_t begins = first->seq > walk->odd_before ? first->seq - walk->odd_before : 1;
    uint64_t oldest = oldest_kept(walk);

    if (begins == 1)
        return;
    if (walk->report->check->options.journal)
        audit_report(walk->report, first, true, "older records than %llu are not in the journal",
                (unsigned long long)begins);
    else if (oldest && oldest < begins)
        audit_report(walk->report, first, false,
                "removed: the records from %llu to %llu should still be there",
                (unsigned long long)oldest, (unsigned long long)(begins - 1));
    else if (!oldest || (!walk->odd_before && !first->opens))
        audit_report(walk->report, first, false, "removed: the records before %llu are missing",
                (unsigned long long)begins);
    else
        audit_report(walk->report, first, true,
                "the records before %llu were in files that are no longer kept",
                (unsigned long long)begins);
}

static bool head_is_here(const struct walk *walk) {
    const struct skrfs_audit_check *check = walk->report->check;
    const struct skrfs_audit_head *head = &check->options.head;
    const char *chain = check->chain_count ? check->chains[walk->lines[0]->chain] : "";
    bool last = walk->lines[0]->chain + 1 >= check->chain_count;

    return head->seq && (head->chain[0] ? strcmp(head->chain, chain) == 0 : last);
}

static void check_head(struct walk *walk, uint64_t ends) {
    const struct skrfs_audit_head *head = &walk->report->check->options.head;
    const struct audit_line **there = main_at(walk, head->seq);

    if (ends < head->seq)
        audit_report(walk->report, last_of(walk), false,
                "cut off: the last record is %llu, and record %llu was written",
                (unsigned long long)ends, (unsigned long long)head->seq);
    else if (there && !same((*there)->made, head->digest))
        audit_report(walk->report, *there, false,
                "record %llu is not the one that was written: from somewhere before it the chain "
                "was made anew",
                (unsigned long long)head->seq);
}

static void check_end(struct walk *walk) {
    const struct audit_line *last = last_of(walk);
    uint64_t ends = last->seq + walk->odd_count;

    if (head_is_here(walk))
        check_head(walk, ends);
    else if (!last->ends)
        audit_report(walk->report, last, walk->report->check->options.journal,
                "the chain has no end: the mount was killed, or it still runs (then give its "
                "mount point), or the end was cut off");
}

static int make_room(struct walk *walk) {
    walk->main = calloc(walk->count, sizeof(void *));
    /* A line opens one gap at most, or splits one. */
    walk->gaps = calloc(walk->count, sizeof(*walk->gaps));
    return walk->main && walk->gaps ? 0 : skrfs_fail_memory(walk->report->err);
}

void audit_find(struct audit_report *report, const struct audit_line *const *lines, size_t count) {
    struct walk walk = {.report = report, .lines = lines, .count = count};

    if (count == 0)
        return;
    if (make_room(&walk) < 0) {
        report->failed = true;
    } else {
        for (size_t i = 0; i < count; i++)
            take(&walk, i);
        if (walk.main_count) {
            tell_gaps(&walk);
            check_beginning(&walk);
            check_end(&walk);
        }
    }
    free(walk.main);
    free(walk.gaps);
}
