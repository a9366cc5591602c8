/* SPDX-License-Identifier: MIT
 *
 * Runs all probes, in the order of the report.
 */
#include <signal.h>

#include "cli/doctor/probe.h"

void probe_machine(struct probe_facts *ret) {
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	/* If our parent had SIGCHLD ignored, children would leave no status. */
	(void)sigaction(SIGCHLD, &usual, NULL);
	*ret = (struct probe_facts){ .landlock_abi = 0 };
	for (size_t i = 0; i < N_TRIALS; i++)
		ret->trials[i] = PROBE_UNTRIED;
	probe_kernel(ret);
	probe_landlock(ret);
	probe_namespaces(ret);
	probe_seccomp(ret);
	probe_processes(ret);
	probe_memory(ret);
	probe_cgroups(ret);
	probe_helper(ret);
}
