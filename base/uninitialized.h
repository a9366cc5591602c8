/* SPDX-License-Identifier: MIT
 *
 * The build zeroes every automatic variable (-ftrivial-auto-var-init). For an array of a kilobyte on the path
 * of each task that is a cost of its own: this exempts one of which only what was written is read.
 */
#pragma once

#define uninitialized __attribute__((uninitialized))
