/* SPDX-License-Identifier: MIT
 *
 * The first checks of every public call on its handle.
 */
#pragma once

#include <warmfork/executor.h>

/* Returns 0; or -EINVAL or -ECHILD, reported in the name of `function`. */
int entry_executor(const struct wf_executor *executor, const char *function);
int entry_future(const struct wf_future *future, const char *function);

/* Under the executor's lock: returns 0 if a worker runs it; else -EALREADY or -EBUSY, reported. */
int entry_running(const struct wf_future *future);
