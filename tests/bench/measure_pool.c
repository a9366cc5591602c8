/* SPDX-License-Identifier: MIT
 *
 * The rows that see a pool as its users do: through the public API.
 */
#include "rows.h"

static const struct row *const rows[] = {
	&fresh_throughput,
	&fresh_throughput_1g,
	&two_zygotes,
	&live_2000,
	&fresh_dispatch,
	&reused_roundtrip,
	&reused_roundtrip_thread,
	&reused_map,
	&start_ready,
	&start_freeze,
	&start_vs_pools,
	&crash_latency,
	&deadline_lateness,
	&payload_64m,
	&parked_memory,
	&queue_100k,
	&idle_wakeups,
	&sandbox_fork,
	&sandbox_parked,
	&sandbox_vs_bwrap,
	&sandbox_command,
	&sandbox_run,
	&sandbox_syscall,
	&sandbox_open,
	NULL,
};

int main(int argc, char **argv) {
	return measure_main(argc, argv, rows);
}
