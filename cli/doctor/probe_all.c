/* SPDX-License-Identifier: MIT
 *
 * All that is probed, in the order of the report.
 */
#include <signal.h>

#include "cli/doctor/probe.h"

void probe_machine(struct probe_facts *ret) {
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	/* Whoever started us may have had it ignored: then children would leave no status. */
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
