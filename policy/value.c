/* SPDX-License-Identifier: MIT
 *
 * Values with units and similar forms. They are parsed by hand: strtoul(3) accepts signs and blanks
 * and wraps around, and a mistyped limit must not become a larger one. Durations need a unit,
 * because a bare 10 could be seconds or milliseconds.
 */
#include "policy/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define SENTENCE 6144
/* more processes than a kernel can have, and more descriptors than anyone needs */
#define MAX_COUNT (UINT64_C(1) << 22)
#define MAX_VALUE ((uint64_t)INT64_MAX)

int value_refuse(const struct value *value, int code, const char *format, ...) {
	const struct value_place *place = value->place;
	char text[SENTENCE];
	va_list arguments;

	va_start(arguments, format);
	/* va_start() is the line above */
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (!place->file)
		return report_error(code, "policy: %s: %s", key_name(value->key), text);
	return report_error(code, "%s:%u: %s: %s", place->file, place->line, key_name(value->key),
			    text);
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: the first unit that divides a value is used to print it. */
static const struct unit duration_units[] = {
	{ "h", UINT64_C(3600000000000) }, { "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },    { "ms", UINT64_C(1000000) },
	{ "us", UINT64_C(1000) },         { "ns", UINT64_C(1) },
};
static const struct unit size_units[] = {
	{ "T", UINT64_C(1) << 40 }, { "G", UINT64_C(1) << 30 }, { "M", UINT64_C(1) << 20 },
	{ "K", UINT64_C(1) << 10 }, { "", UINT64_C(1) },
};
static const struct unit count_units[] = { { "", UINT64_C(1) } };

struct form {
	const struct unit *units;
	size_t n_units;
	uint64_t maximum;
	const char *examples;
};
static const struct form duration_form = { duration_units, N_OF(duration_units), MAX_VALUE,
					   "10s, 500ms, 2m, 1h or none" };
static const struct form size_form = { size_units, N_OF(size_units), MAX_VALUE,
				       "512M, 2G, a number of bytes or none" };
static const struct form count_form = { count_units, N_OF(count_units), MAX_COUNT,
					"a number or none" };

static const struct form *form_of(enum policy_limit limit) {
	switch (limit) {
	case POLICY_WALL:
	case POLICY_CPU:
		return &duration_form;
	case POLICY_PROCESSES:
	case POLICY_DESCRIPTORS:
		return &count_form;
	case POLICY_MEMORY:
	case POLICY_FILE_SIZE:
	case POLICY_OUTPUT:
	case POLICY_SCRATCH:
	case N_POLICY_LIMITS:
	default:
		return &size_form;
	}
}

/* Reads digits up to the first other character, which *ret_end points to. */
static int digits(const char *text, uint64_t *ret, const char **ret_end) {
	uint64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return -EINVAL;
	*ret = number;
	*ret_end = at;
	return at == text ? -EINVAL : 0;
}

int value_number(const char *text, uint64_t maximum, uint64_t *ret) {
	const char *end;

	if (digits(text, ret, &end) < 0 || *end || *ret > maximum)
		return -EINVAL;
	return 0;
}

int value_read_limit(enum policy_limit limit, const char *text, uint64_t *ret) {
	const struct form *form = form_of(limit);
	uint64_t number;
	const char *end;

	if (strcmp(text, "none") == 0) {
		*ret = POLICY_NO_LIMIT;
		return 0;
	}
	if (digits(text, &number, &end) < 0)
		return -EINVAL;
	for (size_t i = 0; i < form->n_units; i++)
		if (strcmp(end, form->units[i].name) == 0)
			return __builtin_mul_overflow(number, form->units[i].factor, ret) ||
				       *ret > form->maximum
				   ? -EINVAL
				   : 0;
	return -EINVAL;
}

void value_print_limit(enum policy_limit limit, uint64_t value, char text[VALUE_SIZE]) {
	const struct form *form = form_of(limit);
	size_t i = 0;

	if (value == POLICY_NO_LIMIT) {
		(void)snprintf(text, VALUE_SIZE, "none");
		return;
	}
	while (i + 1 < form->n_units && (value == 0 || value % form->units[i].factor != 0))
		i++;
	(void)snprintf(text, VALUE_SIZE, "%llu%s",
		       (unsigned long long)(value / form->units[i].factor), form->units[i].name);
}

const char *value_limit_form(enum policy_limit limit) {
	return form_of(limit)->examples;
}

int value_read_identity(const char *text, uint32_t *ret_uid, uint32_t *ret_gid) {
	const uint64_t maximum = UINT32_MAX - 1; /* the last one means: unchanged */
	uint64_t uid, gid;
	const char *end;

	if (digits(text, &uid, &end) < 0 || uid > maximum)
		return -EINVAL;
	gid = uid;
	if (*end && (*end != ':' || value_number(end + 1, maximum, &gid) < 0))
		return -EINVAL;
	*ret_uid = (uint32_t)uid;
	*ret_gid = (uint32_t)gid;
	return 0;
}

int value_read_boolean(const char *text, bool *ret) {
	*ret = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
	return *ret || strcmp(text, "no") == 0 || strcmp(text, "false") == 0 ? 0 : -EINVAL;
}

static const char *const families[] = { "unix", "inet", "inet6", "netlink" };

int value_read_family(const char *text, uint32_t *ret) {
	for (unsigned i = 0; i < N_OF(families); i++)
		if (strcmp(text, families[i]) == 0) {
			*ret = UINT32_C(1) << i;
			return 0;
		}
	return -EINVAL;
}

const char *value_family_name(uint32_t family) {
	return families[(unsigned)__builtin_ctz(family) % N_OF(families)];
}
