/* SPDX-License-Identifier: MIT
 *
 * Ends a keeper, a zygote, a worker, or a child that one of them forked for a single job. In base/
 * because sandbox/ has such children too.
 */
#pragma once

/* _exit(2), after the counters of a coverage build have been written. No stdio, no atexit. */
_Noreturn void leave(int code);
