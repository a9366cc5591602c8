/* SPDX-License-Identifier: MIT
 *
 * The rows, each in the file that measures it. What they have to reach is in rows.py.
 */
#pragma once

#include "measure.h"

/* throughput_rows.c */
extern const struct row fresh_throughput, fresh_throughput_1g, two_zygotes, live_2000;
/* dispatch_rows.c */
extern const struct row fresh_dispatch, reused_roundtrip, reused_roundtrip_thread, reused_map;
/* start_rows.c */
extern const struct row start_ready, start_freeze, start_vs_pools;
/* failure_rows.c */
extern const struct row crash_latency, deadline_lateness;
/* payload_rows.c */
extern const struct row payload_64m;
/* resource_rows.c */
extern const struct row parked_memory, queue_100k, idle_wakeups;

/* sandbox_rows.c */
extern const struct row sandbox_fork, sandbox_parked, sandbox_vs_bwrap, sandbox_command,
    sandbox_run, sandbox_syscall, sandbox_open;

/* inside: freeze_rows.c */
extern const struct row fork_frozen_4g, fork_unfrozen_1g, fork_dirty16_1g;
/* inside: child_rows.c */
extern const struct row child_overhead, spawn_static;
