/* SPDX-License-Identifier: MIT
 *
 * The listener of a seccomp filter: what sandboxed processes tried that the filter does not allow by itself.
 *
 * It takes notes and answers. It never decides on what a pointer points to: another thread may change that
 * meanwhile. So it lets go on only what the kernel judges once more, by Landlock and the view.
 */
#pragma once

#include "base/loop.h"

struct worker;
struct zygote;

struct listener {
	struct source source;
	int fd; /* -1: none */
	struct zygote *zygote;
	struct worker *worker; /* whose own it is; NULL: of all workers of the zygote */
};

void listener_init(struct listener *listener, struct zygote *zygote, struct worker *worker);
/* Takes `fd`. 0 or -errno; then it is closed, and who is refused something gets ENOSYS from the kernel. */
int listener_start(struct listener *listener, int fd);
void listener_stop(struct listener *listener);
