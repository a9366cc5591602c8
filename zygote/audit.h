/* SPDX-License-Identifier: MIT
 *
 * The audit checks for everything that a preload must not leave behind because workers
 * would inherit it.
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

/* Call this before any code of the image runs: it registers the atfork handler that has to run
 * last, and records the present state. `own` are the zygote's descriptors above 2. */
void audit_begin(struct audit *audit, unsigned waived, const int *own, size_t n_own);

/* Call this after the preload. Fills the findings, and in `image` what workers inherit of them.
 * Uses `sweep` to list the children. Returns 0, or -errno if a trial fork failed. */
int audit_run(struct audit *audit, struct image *image, struct sweep *sweep);

/* Moves the waived findings to the front, and returns their number. */
size_t audit_split(struct audit *audit);
