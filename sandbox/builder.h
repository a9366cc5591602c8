/* SPDX-License-Identifier: MIT
 *
 * Parts of the sandbox that are made by children of the zygote.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

struct builder_job {
	uint32_t layers;
	pid_t pid;
	int socket;
};

/* Forks a builder of these layers: mount, landlock, seccomp. 0; or negative and `trouble`. */
int builder_start(struct builder_job *job, const struct sandbox *sandbox,
		  const struct policy *policy, uint32_t layers, struct sandbox_trouble *trouble);

/* Waits for it and takes what it made; under best effort what it could not make is noted as missing. 0; or negative
 * and `trouble`. */
int builder_finish(const struct builder_job *job, struct sandbox *sandbox,
		   struct sandbox_trouble *trouble);
