/* SPDX-License-Identifier: MIT
 *
 * Findings: what was found, what is lost if it is not there, and how to get it.
 */
#pragma once

#include <stddef.h>

enum finding_state {
	FINDING_HERE,
	FINDING_PARTLY,
	FINDING_MISSING,
	FINDING_HIDDEN, /* by WF_ABSENT */
	FINDING_UNKNOWN,
};

/* For whom. */
enum finding_user {
	USER_PLAIN = 1 << 0,   /* pools without a policy */
	USER_SANDBOX = 1 << 1, /* strict policies */
	USER_TESTS =
	    1 << 2, /* those of the preset `tests`; whatever sandboxes need, they need too */
};
#define USER_SANDBOXES (USER_SANDBOX | USER_TESTS)
#define USER_ALL       (USER_PLAIN | USER_SANDBOXES)

struct finding {
	const char *section, *key, *label; /* static strings; a label stands in a sentence */
	enum finding_state state;
	unsigned needs; /* enum finding_user, or-ed: without it they are refused */
	unsigned helps; /* without it they have less, or are slower */
	/* ASCII; empty: nothing to say. `remedy` may be a line to type */
	char value[320], costs[384], remedy[384];
};

#define FINDINGS_MAX 80

struct findings {
	struct finding list[FINDINGS_MAX];
	size_t n;
};

/* Never NULL: one too many takes the place of the last. */
struct finding *finding_add(struct findings *findings, const char *section, const char *key,
			    const char *label, enum finding_state state);

void finding_value(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_costs(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL: there is none. */
const struct finding *finding_of(const struct findings *findings, const char *section,
				 const char *key);

/* "here", "missing", ... */
const char *finding_state_name(enum finding_state state);
