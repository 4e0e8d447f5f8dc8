#ifndef SKRFS_SRC_CLIENT_MYSTIKOS_H
#define SKRFS_SRC_CLIENT_MYSTIKOS_H

#include <skrfs/client/mystikos.h>
#include <stdarg.h>

struct mystikos_place {
    unsigned line, column;
};
/* Where the member of the array's element `index` stands, or (`member` NULL or absent) the element,
 * in a text that was taken as well formed. *ret_place is left alone when it is not found. */
void mystikos_locate(const char *text, size_t len, bool in_object, size_t index, const char *member,
        struct mystikos_place *ret_place);

#endif
