/* SPDX-License-Identifier: MIT
 *
 * What a worker writes into its cell from a signal handler: where it crashed, where it is.
 */
#pragma once

#include "proto/cell.h"

/* Before the image is frozen: what the handlers need is loaded (backtrace(3) opens a library). */
void crash_prepare(void);
/* In the zygote, once; workers inherit it. Leaves alone what the image has a handler for. */
void crash_install(void);
/* In the worker. */
void crash_enter(struct cell *cell);
