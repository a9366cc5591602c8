/* SPDX-License-Identifier: MIT
 *
 * What the findings mean for users that want plain pools, sandboxes, or tests in sandboxes.
 */
#pragma once

#include "cli/doctor/finding.h"

enum verdict_kind {
	VERDICT_WORKS,   /* all of it works */
	VERDICT_LESS,    /* slower, or with less information */
	VERDICT_REFUSED, /* something that it needs is missing */
};

struct verdict {
	enum verdict_kind kind;
	const struct finding *lacks[FINDINGS_MAX]; /* what it needs, or else what would help */
	size_t n_lacks;
};

struct verdict verdict_for(const struct findings *findings, enum finding_user user);

/* "works", "works with less", "refused" */
const char *verdict_name(enum verdict_kind kind);
