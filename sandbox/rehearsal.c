/* SPDX-License-Identifier: MIT */
#include "sandbox/rehearsal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/leave.h"
#include "base/process.h"
#include "sandbox/enter.h"

/* What the process reports, in memory that it shares. */
struct report {
	bool done;
	uint32_t layer; /* the layer that is not in force, or 0 */
	int error;      /* of the step of entering that failed */
	char step[64];
};

static _Noreturn void child_run(const struct sandbox *sandbox, struct report *report) {
	struct sandbox probing = *sandbox;
	struct sandbox_entry entry = { .step = "" };
	int r;

	probing.probes = SANDBOX_PROBE_ALL;
	probing.filter_listens = false;
	r = sandbox_enter_view(&probing, NULL, &entry);
	if (r == 0)
		r = sandbox_enter_rest(&probing, &entry);
	report->layer = entry.unproven;
	report->error = -r;
	(void)snprintf(report->step, sizeof report->step, "%s", entry.step);
	report->done = true;
	leave(0);
}

static int judge(const struct exit_status *status, const struct report *report,
		 struct sandbox_trouble *trouble) {
	if (!report->done)
		return trouble_fail(trouble, 0, EIO,
				    "the process that probes the sandbox was ended by SIG%s",
				    sigabbrev_np(status->signal));
	if (report->layer)
		return trouble_fail(trouble, report->layer, EIO, SANDBOX_UNPROVEN,
				    policy_layer_name(report->layer));
	if (report->error)
		return trouble_fail(trouble, 0, report->error,
				    "the %s of a worker cannot be entered: %s", report->step,
				    strerrordesc_np(report->error));
	return 0;
}

static int run_in_child(const struct sandbox *sandbox, struct report *report,
			struct sandbox_trouble *trouble) {
	struct exit_status status = { 0 };
	pid_t pid = fork();
	int r;

	if (pid == 0)
		child_run(sandbox, report);
	if (pid < 0)
		return trouble_fail(trouble, 0, errno, "a process to probe with: %s",
				    strerrordesc_np(errno));
	r = process_reap(pid, &status);
	return r < 0 ? trouble_fail(trouble, 0, -r, "the probe: %s", strerrordesc_np(-r))
		     : judge(&status, report, trouble);
}

int rehearsal_run(const struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	struct report *report =
	    mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (report == MAP_FAILED)
		return trouble_fail(trouble, 0, errno, "no memory for a probe");
	r = run_in_child(sandbox, report, trouble);
	(void)munmap(report, sizeof *report);
	return error_trace(r);
}
