/* SPDX-License-Identifier: MIT
 *
 * Children of the zygote that make parts of the sandbox.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

struct builder_job {
	bool in_init; /* the init of the pid namespace builds first, and idles then */
	uint32_t layers;
	pid_t pid;
	int socket;
};

/* Forks a builder of these layers: mount, landlock, seccomp; job->in_init has been set. Returns 0; or
 * a negative value and `trouble`. */
int builder_start(struct builder_job *job, struct sandbox *sandbox, const struct policy *policy,
		  uint32_t layers, struct sandbox_trouble *trouble);

/* Takes a filter that need not be built; returns false if there is none. */
bool builder_finds_filter(struct sandbox *sandbox, const struct policy *policy);

/* Waits for it and takes what it made. Under best effort, what it could not make is recorded as
 * missing. Returns 0; or a negative value and `trouble`. */
int builder_finish(const struct builder_job *job, struct sandbox *sandbox,
		   struct sandbox_trouble *trouble);
