/* SPDX-License-Identifier: MIT
 *
 * An executor's birth and end.
 */
#pragma once

#include "executor/executor.h"

/* Starts everything and waits for the image. A public error, reported. */
int lifetime_open(const struct wf_executor_options *options, struct wf_executor **ret);
int lifetime_close(struct wf_executor *executor, enum wf_close how);
/* Gives one handle back. */
void lifetime_release(struct wf_executor *executor);
/* Loads the image again. */
int lifetime_reload(struct wf_executor *executor);
