/* SPDX-License-Identifier: MIT
 *
 * Opening, closing and reloading an executor.
 */
#pragma once

#include "executor/executor.h"

/* Starts everything and waits for the image. Returns 0 or a public error, reported. */
int lifetime_open(const struct wf_executor_options *options, struct wf_executor **ret);
int lifetime_close(struct wf_executor *executor, enum wf_close how);
/* Releases one handle. */
void lifetime_release(struct wf_executor *executor);
/* Loads the image again. */
int lifetime_reload(struct wf_executor *executor);
