/* SPDX-License-Identifier: MIT
 *
 * Forks for the sake of counting. An image's functions are not ours to call, so workers are forked
 * and initialized, do nothing, and leave: the pool grows and shrinks, FORKS_TOGETHER at most at a
 * time.
 */
#pragma once

#include <stdint.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#define FORKS_TOGETHER 16
/* A zygote tells how many pages it has written to with every so many forks (struct wf_statistics). */
#define FORKS_COUNTED 256
#define FORKS_MAX     65536

/* What forks of this process take, which holds next to nothing: fork, exit, wait. */
struct forks_empty {
	uint64_t fastest_ns; /* 0: none succeeded */
	uint64_t noise_ns;   /* by which half of them took longer: on a busy machine they wait for a
			      * CPU, 30 times as long as they run */
};

/* To be asked before an executor is opened. */
struct forks_empty forks_empty(void);

/* What an executor needs for forks_make(). */
void forks_options(struct wf_executor_options *options);

/* Forks until `n` workers have been (some more, up to FORKS_TOGETHER), or until one cannot be
 * started. Returns how many were asked for and never became ready; `ret` is how things stand then.
 * `n` 0: does nothing but fill `ret`. */
unsigned forks_make(struct wf_executor *executor, unsigned n, struct wf_statistics *ret);
