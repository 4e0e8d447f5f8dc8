/* Prints the system calls that each process of a mount may make, from the tables that its filter is
 * made of: as mdoc(7) for man/skrfs-security.7. */
#include <skrfs/daemon/process.h>
#include <stdio.h>
#include <string.h>

struct page {
    char free[16 * 1024]; /* those without a condition */
    size_t len;
    char last[64]; /* call that the item at hand is about */
    bool any;
};

static void add(struct page *page, const char *call) {
    int len = snprintf(page->free + page->len, sizeof(page->free) - page->len, "%s%s",
            page->len ? " ,\n.Fn " : ".Fn ", call);

    page->len += len > 0 ? (size_t)len : 0;
}

static void take_free(void *context, const char *call, const char *when) {
    if (!when)
        add(context, call);
}

/* A call with several conditions may be made when one of them fits. */
static void print_limited(void *context, const char *call, const char *when) {
    struct page *page = context;

    if (!when)
        return;
    if (strcmp(page->last, call) != 0)
        (void)printf("%s.It Fn %s\n%s", page->any ? ".\n" : "", call, when);
    else
        (void)printf("; or %s", when);
    (void)snprintf(page->last, sizeof(page->last), "%s", call);
    page->any = true;
}

static void print_role(enum skrfs_role role, const char *title) {
    struct page page = {.len = 0};

    skrfs_sandbox_tell(role, take_free, &page);
    (void)printf(".Ss %s\n%s .\n", title, page.free);
    if (role == SKRFS_ROLE_COUNT)
        return;
    (void)printf(".Pp\nWith conditions:\n.Bl -tag -width Ds -compact\n");
    skrfs_sandbox_tell(role, print_limited, &page);
    (void)printf(".\n.El\n");
}

int main(void) {
    for (enum skrfs_role role = 0; role < SKRFS_ROLE_COUNT; role++) {
        char title[64];
        struct page page = {.len = 0};
        skrfs_sandbox_tell(role, take_free, &page);
        (void)snprintf(title, sizeof(title), "The %s may call", skrfs_role_name(role));
        if (page.len)
            print_role(role, title);
    }
    print_role(SKRFS_ROLE_COUNT, "Nobody may call, not even the parent");
    return 0;
}
