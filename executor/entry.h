/* SPDX-License-Identifier: MIT
 *
 * What every public call asks of its handle first.
 */
#pragma once

#include <warmfork/executor.h>

/* 0; -EINVAL or -ECHILD, reported in the name of `function`. */
int entry_executor(const struct wf_executor *executor, const char *function);
int entry_future(const struct wf_future *future, const char *function);

/* Under the executor's lock: 0 if a worker runs it; -EALREADY or -EBUSY, reported. */
int entry_running(const struct wf_future *future);
