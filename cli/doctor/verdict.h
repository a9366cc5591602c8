/* SPDX-License-Identifier: MIT
 *
 * What the findings come to for those who want plain pools, sandboxes, or to run tests in them.
 */
#pragma once

#include "cli/doctor/finding.h"

enum verdict_kind {
	VERDICT_WORKS,   /* all of it */
	VERDICT_LESS,    /* slower, or with less to tell */
	VERDICT_REFUSED, /* something that it needs is missing */
};

struct verdict {
	enum verdict_kind kind;
	const struct finding *lacks[FINDINGS_MAX]; /* what it needs; else what would help */
	size_t n_lacks;
};

struct verdict verdict_for(const struct findings *findings, enum finding_user user);

/* "works", "works with less", "refused" */
const char *verdict_name(enum verdict_kind kind);
