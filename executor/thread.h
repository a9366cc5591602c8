/* SPDX-License-Identifier: MIT
 *
 * The library's own threads in the host.
 */
#pragma once

#include <pthread.h>

/* Starts one that no signal is delivered to: signals are the host's business. `name` is at most 15
 * bytes. Returns 0 or -errno. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *context), void *context);
