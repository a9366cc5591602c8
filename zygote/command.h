/* SPDX-License-Identifier: MIT
 *
 * Image kind command: nothing is preloaded, and a task is a program.
 */
#pragma once

#include <stddef.h>

#include <warmfork/task.h>

#include "proto/cell.h"
#include "zygote/context.h"

/* Its table has one function, "command", which is never called. */
const struct wf_module *command_module(void);

/* Executes argv, packed as consecutive strings with their NULs, with `extra` as descriptors 3, 4,
 * ... Returns only on failure, with the reason in `failure`. */
void command_execute(const void *argv, size_t size, const int *extra, size_t n_extra,
		     struct cell *cell, struct context_failure *failure);
