/* SPDX-License-Identifier: MIT
 *
 * Forks in order to count. The functions of an image are not ours to call, so workers are forked
 * and initialized, do nothing, and leave: the pool grows and shrinks by at most FORKS_TOGETHER
 * at a time.
 */
#pragma once

#include <stdint.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#define FORKS_TOGETHER 16
/* A zygote reports how many pages it has written to after this many forks (struct
 * wf_statistics). */
#define FORKS_COUNTED 256
#define FORKS_MAX     65536

/* The time of a fork, exit and wait of this process, which holds next to nothing. */
struct forks_empty {
	uint64_t fastest_ns; /* 0 if none succeeded */
	uint64_t noise_ns;   /* half of them took longer by this; under load a fork may wait for a
			      * CPU for 30 times as long as it runs */
};

/* Call this before an executor is opened. */
struct forks_empty forks_empty(void);

/* Sets what an executor needs for forks_make(). */
void forks_options(struct wf_executor_options *options);

/* Forks until there have been `n` workers (or more, up to FORKS_TOGETHER), or until one cannot be
 * started. Returns how many were requested and never became ready; `ret` is the final state. With
 * `n` 0 it only fills `ret`. */
unsigned forks_make(struct wf_executor *executor, unsigned n, struct wf_statistics *ret);
