/* SPDX-License-Identifier: MIT
 *
 * A value as written and its position, and the conversion of values that have a form of their
 * own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/key.h"
#include "proto/policy.h"

/* The position of a value, for sentences. */
struct value_place {
	const char *file; /* NULL: wf_policy_add() */
	unsigned line;
	const char *directory; /* where relative paths start; NULL: the working directory */
};
struct value {
	const struct value_place *place;
	enum policy_key key;
	const char *text;
};

/* Reports "FILE:LINE: KEY: ..." and returns `code`. */
int value_refuse(const struct value *value, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -EINVAL: not of this form, or too large; not reported. */
#define VALUE_SIZE 48
int value_number(const char *text, uint64_t maximum, uint64_t *ret);
int value_read_limit(enum policy_limit limit, const char *text, uint64_t *ret);
void value_print_limit(enum policy_limit limit, uint64_t value, char text[VALUE_SIZE]);
const char *value_limit_form(enum policy_limit limit); /* "10s, 500ms, 2m, 1h or none" */
int value_read_identity(const char *text, uint32_t *ret_uid, uint32_t *ret_gid);
int value_read_boolean(const char *text, bool *ret);
int value_read_family(const char *text, uint32_t *ret);
const char *value_family_name(uint32_t family); /* `family` is a single bit */
