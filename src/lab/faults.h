/* Faults that tests put into the lab, and how their JSON is read. */
#ifndef SKRFS_LAB_FAULTS_H
#define SKRFS_LAB_FAULTS_H

#include "state.h"

const char *skrfs_lab_place_name(enum skrfs_lab_place place);
/* Puts one fault behind those that wait. BAD_ANSWER says what is wrong with it. */
int skrfs_lab_fault_add(struct skrfs_lab *lab, const struct skrfs_json *json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_faults_clear(struct skrfs_lab *lab);

/* Members of what tests send; absent ones leave *value as it is. */
int skrfs_lab_want_number(const struct skrfs_json *json, const char *name, int64_t most,
        int64_t *value, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_want_copy(const struct skrfs_json *json, const char *name, char *out, size_t size,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_want_flag(const struct skrfs_json *json, const char *name, bool *value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A misspelt member would do nothing, and a test that relies on it would pass. */
int skrfs_lab_known_members(const struct skrfs_json *json, const char *const *known, size_t count,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
