/* SPDX-License-Identifier: MIT
 *
 * The gate: what a preload must not have left, since no worker may inherit it.
 */
#pragma once

#include <signal.h>
#include <stddef.h>

#include "proto/message.h"
#include "zygote/image.h"
#include "zygote/sweep.h"

#define AUDIT_TEXT    512
#define AUDIT_SIGNALS 64
#define AUDIT_OWN     8

struct audit {
	struct sigaction actions[AUDIT_SIGNALS + 1];
	sigset_t mask;
	int own[AUDIT_OWN]; /* descriptors of the zygote itself */
	size_t n_own;
	unsigned waived; /* enum wf_audit */

	struct message_finding findings[LIMIT_FINDINGS];
	char texts[LIMIT_FINDINGS][AUDIT_TEXT];
	size_t n_findings;
};

/* Before any code of the image runs: registers the atfork handler that has to run last, and notes
 * what is the case now. `own` are the zygote's descriptors above 2. */
void audit_begin(struct audit *audit, unsigned waived, const int *own, size_t n_own);

/* After the preload. Fills the findings, and in `image` what workers inherit of them. 0, or -errno
 * (a trial fork failed). Children are listed in `sweep`. */
int audit_run(struct audit *audit, struct image *image, struct sweep *sweep);

/* The findings that are waived move to the front; returns how many there are. */
size_t audit_split(struct audit *audit);
