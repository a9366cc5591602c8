/* SPDX-License-Identifier: MIT
 *
 * The end of a keeper, a zygote or a worker.
 */
#pragma once

/* _exit(2), after the counters of a coverage build have been written. No stdio, no atexit. */
_Noreturn void leave(int code);
