/* SPDX-License-Identifier: MIT
 *
 * Findings: what was found, what is lost if it is missing, and how to get it.
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

/* Who needs it. */
enum finding_user {
	USER_PLAIN = 1 << 0,   /* pools without a policy */
	USER_SANDBOX = 1 << 1, /* strict policies */
	USER_TESTS =
	    1 << 2, /* sandboxes of the preset `tests`, which also need what all sandboxes need */
};
#define USER_SANDBOXES (USER_SANDBOX | USER_TESTS)
#define USER_ALL       (USER_PLAIN | USER_SANDBOXES)

struct finding {
	const char *section, *key, *label; /* static strings; a label is part of a sentence */
	enum finding_state state;
	unsigned needs; /* enum finding_user, or-ed: these are refused without it */
	unsigned helps; /* these have less, or are slower, without it */
	/* ASCII; empty if there is nothing to say. `remedy` may be a command line */
	char value[320], costs[384], remedy[384];
};

#define FINDINGS_MAX 80

struct findings {
	struct finding list[FINDINGS_MAX];
	size_t n;
};

/* Never NULL: when the table is full, a new one replaces the last. */
struct finding *finding_add(struct findings *findings, const char *section, const char *key,
			    const char *label, enum finding_state state);

void finding_value(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_costs(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL if there is none. */
const struct finding *finding_of(const struct findings *findings, const char *section,
				 const char *key);

/* "here", "missing", ... */
const char *finding_state_name(enum finding_state state);
