/* SPDX-License-Identifier: MIT
 *
 * The build zeroes every automatic variable (-ftrivial-auto-var-init). For a large one on the path
 * of each task that is a real cost. This exempts one that is only read where it has been written.
 */
#pragma once

#define uninitialized __attribute__((uninitialized))
