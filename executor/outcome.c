/* SPDX-License-Identifier: MIT
 *
 * An outcome with no memory of its own points at static text, so that no member is ever NULL.
 */
#include "executor/outcome.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/line.h"
#include "base/report.h"
#include "proto/limits.h"

#define DESCRIBED ((size_t)LIMIT_TEXT + 64) /* longest detail: a message, or evidence */

void outcome_init(struct wf_outcome *outcome) {
	*outcome = (struct wf_outcome){
		.size = sizeof *outcome,
		.slot = -1,
		.evidence = "",
		.stack = "",
		.layers = "none",
		.learned = "",
		.standard_output = { .data = "" },
		.standard_error = { .data = "" },
	};
}

void outcome_memory_clear(struct outcome_memory *memory) {
	if (memory->mapping)
		(void)munmap(memory->mapping, memory->mapping_size);
	free(memory->data);
	free(memory->message);
	free(memory->evidence);
	free(memory->stack);
	free(memory->layers);
	free(memory->learned);
	free(memory->deaths);
}

/* --- for people ---------------------------------------------------------------------------- */

const char *wf_outcome_kind_name(enum wf_outcome_kind kind) {
	static const char *const names[] = {
		[0] = "unknown",
		[WF_RETURNED] = "returned",
		[WF_FAILED] = "failed",
		[WF_EXITED] = "exited",
		[WF_SIGNALLED] = "signalled",
		[WF_TIMED_OUT] = "timed out",
		[WF_CANCELLED] = "cancelled",
		[WF_KILLED] = "killed",
		[WF_MEMORY_LIMIT] = "memory limit",
		[WF_OUTPUT_LIMIT] = "output limit",
		[WF_VIOLATION] = "violation",
		[WF_ZYGOTE_LOST] = "zygote lost",
		[WF_NOT_STARTED] = "not started",
	};
	unsigned n = (unsigned)kind;

	return names[n < sizeof names / sizeof names[0] ? n : 0];
}

static void describe_signal(const struct wf_outcome *outcome, char *text, size_t size) {
	const char *name = sigabbrev_np(outcome->signalled.signal);
	char address[32] = "";

	if (outcome->signalled.address_known)
		(void)snprintf(address, sizeof address, " at 0x%llx",
			       (unsigned long long)outcome->signalled.address);
	(void)snprintf(text, size, ": SIG%s%s%s", name ? name : "?", address,
		       outcome->signalled.core ? ", core dumped" : "");
}

static void describe_kind(const struct wf_outcome *outcome, char *text, size_t size) {
	*text = '\0';
	switch (outcome->kind) {
	case WF_RETURNED:
		(void)snprintf(text, size, " %zu bytes", outcome->returned.size);
		return;
	case WF_FAILED:
		(void)snprintf(text, size, " with %d%s%s", outcome->failed.code,
			       *outcome->failed.message ? ": " : "", outcome->failed.message);
		return;
	case WF_EXITED:
		(void)snprintf(text, size, " with code %d", outcome->exited.code);
		return;
	case WF_SIGNALLED:
		describe_signal(outcome, text, size);
		return;
	case WF_NOT_STARTED:
	case WF_TIMED_OUT:
	case WF_CANCELLED:
	case WF_KILLED:
	case WF_MEMORY_LIMIT:
	case WF_OUTPUT_LIMIT:
	case WF_VIOLATION:
	case WF_ZYGOTE_LOST:
		(void)snprintf(text, size, ": %s", outcome->evidence);
		return;
	}
}

size_t wf_outcome_describe(const struct wf_outcome *outcome, char *text, size_t size) {
	char detail[DESCRIBED], line[DESCRIBED + 256], where[96] = "";

	if (text && size)
		*text = '\0';
	if (!outcome || (!text && size)) {
		(void)report_error(-EINVAL, "wf_outcome_describe: an argument is NULL");
		return 0;
	}
	describe_kind(outcome, detail, sizeof detail);
	if (outcome->pid)
		(void)snprintf(where, sizeof where, " (pid %d, slot %d, attempt %u%s)",
			       (int)outcome->pid, outcome->slot, outcome->attempts,
			       outcome->quarantined ? ", quarantined" : "");
	(void)snprintf(line, sizeof line, "%s%s%s", wf_outcome_kind_name(outcome->kind), detail,
		       where);
	return line_escape(text, size, line);
}
