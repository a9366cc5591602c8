/* SPDX-License-Identifier: MIT */
#include "executor/thread.h"

#include <signal.h>

#include "base/error.h"

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *context), void *context) {
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(thread, NULL, run, context);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		(void)pthread_setname_np(*thread, name);
	return r ? error_origin(-r) : 0;
}
