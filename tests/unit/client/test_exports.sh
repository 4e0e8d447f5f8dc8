#!/bin/sh
# The shared library exports its interface and nothing else, and binds at once.
set -eu
library=$1
wanted='skrfs_class_errno
skrfs_class_name
skrfs_client_attest
skrfs_client_free
skrfs_client_get
skrfs_client_new
skrfs_format_name
skrfs_format_parse
skrfs_secret_data
skrfs_secret_len
skrfs_secret_ref
skrfs_secret_unref
skrfs_token_free'
found=$(nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort)
if [ "$found" != "$wanted" ]; then
    printf 'exported:\n%s\nwanted:\n%s\n' "$found" "$wanted"
    exit 1
fi
others=$(nm -D --defined-only "$library" | awk '$2 != "T" && $2 != "A" { print }')
if [ -n "$others" ]; then
    printf 'exported data:\n%s\n' "$others"
    exit 1
fi
readelf -d "$library" | grep -q 'SONAME.*libskrfs\.so\.0' || { echo 'wrong soname'; exit 1; }
readelf -d "$library" | grep -Eq 'BIND_NOW|FLAGS_1.*NOW' || { echo 'not bound at once'; exit 1; }
