/* SPDX-License-Identifier: MIT
 *
 * Signal handlers with which a worker records in its cell where it crashed and what it is doing.
 */
#pragma once

#include "proto/cell.h"

/* Call this before the image is frozen: it loads what the handlers need (backtrace(3) opens
 * a library). */
void crash_prepare(void);
/* Called once, in the zygote; workers inherit the handlers. Signals that the image handles are
 * left alone. */
void crash_install(void);
/* Called in the worker. */
void crash_enter(struct cell *cell);
