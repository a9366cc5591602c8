/* SPDX-License-Identifier: MIT
 *
 * Strict: the first layer that is not available refuses the image, by name. Best effort: layers
 * that are not available are left out and listed as missing. Nothing else is ever left out.
 *
 * What needs memory is made in children (builder.c), because the zygote must not write to what
 * it has frozen.
 */
#include "sandbox/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"
#include "sandbox/builder.h"
#include "sandbox/capability.h"
#include "sandbox/counted.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/namespace.h"
#include "sandbox/probe.h"
#include "sandbox/rehearsal.h"
#include "sandbox/view.h"

/* The additional calls of sanitizer runtimes are allowed in test builds only, and listed among
 * the layers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

static bool wants(const struct policy *policy, uint32_t layer) {
	return (policy->layers & layer) != 0;
}

/* Handles a layer that is not available: refuses the image, or records it. Returns 0 to go on
 * without it. */
static int without(struct sandbox *sandbox, const struct policy *policy, int r,
		   const struct sandbox_trouble *trouble) {
	if (policy->strict || trouble->layer == 0)
		return error_trace(r);
	sandbox->missing |= trouble->layer;
	sandbox->layers &= ~trouble->layer;
	return 0;
}

/* --- privileges ---------------------------------------------------------------------------- */

static int restrict_zygote(struct sandbox *sandbox, const struct policy *policy,
			   struct sandbox_trouble *trouble) {
	int r;

	r = wants(policy, LAYER_LIMITS) ? limits_inherited() : 0;
	if (r < 0) {
		r = trouble_fail(trouble, LAYER_LIMITS, -r, "resource limits: %s",
				 strerrordesc_np(-r));
		r = without(sandbox, policy, r, trouble);
	} else {
		sandbox->layers |= policy->layers & LAYER_LIMITS;
	}
	if (r < 0)
		return error_trace(r);
	/* without capabilities, Landlock and filters require it */
	if (wants(policy, LAYER_NO_NEW_PRIVS | LAYER_LANDLOCK | LAYER_SECCOMP)) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return trouble_fail(trouble, LAYER_NO_NEW_PRIVS, errno, "no_new_privs: %s",
					    strerrordesc_np(errno));
		sandbox->layers |= LAYER_NO_NEW_PRIVS;
	}
	if (!wants(policy, LAYER_CAPABILITIES))
		return 0;
	r = capability_keep_few();
	if (r < 0)
		return trouble_fail(trouble, LAYER_CAPABILITIES, -r, "capabilities: %s",
				    strerrordesc_np(-r));
	sandbox->layers |= LAYER_CAPABILITIES;
	return 0;
}

/* --- preparing ----------------------------------------------------------------------------- */

static void text_add(struct sandbox *sandbox, const char *text) {
	size_t used = strlen(sandbox->text);

	(void)snprintf(sandbox->text + used, sizeof sandbox->text - used, "%s", text);
}

static void text_list(struct sandbox *sandbox, uint32_t layers) {
	const char *comma = "";

	for (uint32_t i = 0; i < N_LAYERS; i++) {
		uint32_t layer = UINT32_C(1) << i;
		char number[16] = "";

		if (!(layers & layer))
			continue;
		if (layer == LAYER_LANDLOCK && sandbox->landlock_abi > 0)
			(void)snprintf(number, sizeof number, " %d", sandbox->landlock_abi);
		text_add(sandbox, comma);
		text_add(sandbox, policy_layer_name(layer));
		text_add(sandbox, number);
		comma = ", ";
	}
}

static void describe(struct sandbox *sandbox) {
	sandbox->text[0] = '\0';
	text_list(sandbox, sandbox->layers);
	if (sandbox->layers == 0)
		text_add(sandbox, "none");
	if (sandbox->missing) {
		text_add(sandbox, "; not in force: ");
		text_list(sandbox, sandbox->missing & ~sandbox->layers);
	}
}

/* Under a filter that reports opens the zygote opens nothing, so its loop reads files that are
 * opened here. */
static int open_kept(struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	sandbox->own_children = open(path, O_RDONLY | O_CLOEXEC);
	sandbox->null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (sandbox->null_device < 0)
		return trouble_fail(trouble, 0, errno, "/dev/null: %s", strerrordesc_np(errno));
	return 0;
}

/* If entering takes what no filter may allow, each worker installs its own filter. So does the only
 * one, whose probes would otherwise be reported. */
static bool filter_is_inherited(const struct sandbox *sandbox, const struct policy *policy) {
	return !sandbox->one_shot && filter_suits_zygote(policy) && !policy->learn &&
	       sandbox_has(sandbox, LAYER_PID) && !sandbox->own_user_namespace &&
	       !sandbox->scratch && !sandbox_has(sandbox, LAYER_CGROUP) &&
	       sandbox->own_children >= 0;
}

int sandbox_close(struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	int r;

	if (!sandbox->filter_inherited)
		return 0;
	r = filter_install(&sandbox->filter, sandbox->filter_listens);
	if (r < 0)
		return trouble_fail(trouble, LAYER_SECCOMP, -r,
				    "the system call filter cannot be installed: %s",
				    strerrordesc_np(-r));
	if (sandbox->filter_listens)
		sandbox->listener = r;
	sandbox->filter.n = 0;
	return 0;
}

static int settle_scratch(struct sandbox *sandbox, const struct policy *policy,
			  struct sandbox_trouble *trouble) {
	if (!sandbox->scratch)
		return 0;
	sandbox->below = view_list_below(policy, &sandbox->n_below);
	return sandbox->below
		   ? 0
		   : trouble_fail(trouble, LAYER_MOUNT, E2BIG,
				  "too many paths below /tmp, or one too long, where each "
				  "worker has a /tmp of its own (limits.scratch)");
}

/* Runs while namespaces are entered, on another CPU if there is one. */
static struct builder_job filter_job;

/* Starts to, if it is not there yet. */
static int make_filter(struct sandbox *sandbox, const struct policy *policy,
		       struct sandbox_trouble *trouble) {
	if (builder_finds_filter(sandbox, policy)) {
		sandbox->layers |= LAYER_SECCOMP;
		return 0;
	}
	return error_trace(builder_start(&filter_job, sandbox, policy, LAYER_SECCOMP, trouble));
}

static int start_filter(struct sandbox *sandbox, const struct policy *policy,
			struct sandbox_trouble *trouble) {
	/* under best effort, what is missing has to be known first */
	if (!wants(policy, LAYER_SECCOMP) || !policy->strict)
		return 0;
	return error_trace(make_filter(sandbox, policy, trouble));
}

static int finish_filter(struct sandbox *sandbox, const struct policy *policy,
			 struct sandbox_trouble *trouble) {
	struct policy in_force = *policy;
	int r = 0;

	if (!wants(policy, LAYER_SECCOMP))
		return 0;
	in_force.layers &= ~(LAYER_NAMESPACES & ~sandbox->layers);
	if (!policy->strict)
		r = make_filter(sandbox, &in_force, trouble);
	if (r < 0 || sandbox_has(sandbox, LAYER_SECCOMP))
		return error_trace(r);
	return error_trace(builder_finish(&filter_job, sandbox, trouble));
}

static int build_files(struct sandbox *sandbox, const struct policy *policy,
		       struct sandbox_trouble *trouble) {
	const uint32_t layers = policy->layers & (LAYER_MOUNT | LAYER_LANDLOCK);
	struct builder_job job = { .in_init = sandbox_has(sandbox, LAYER_PID) };
	int r;

	if (layers == 0)
		return job.in_init ? error_trace(namespace_start_init(sandbox, NULL, NULL, trouble))
				   : 0;
	r = builder_start(&job, sandbox, policy, layers, trouble);
	/* under best effort a missing init is not the end, but takes these with it */
	if (r < 0) {
		sandbox->missing |= layers;
		return error_trace(r);
	}
	return error_trace(builder_finish(&job, sandbox, trouble));
}

static int enter_namespaces(struct sandbox *sandbox, const struct policy *policy,
			    struct sandbox_trouble *trouble) {
	int r = namespace_enter(sandbox, policy->layers & LAYER_NAMESPACES & ~(uint32_t)LAYER_MOUNT,
				policy->strict, trouble);

	if (r == 0 && (r = namespace_finish_network(sandbox, policy->families, trouble)) < 0)
		r = without(sandbox, policy, r, trouble);
	return error_trace(r);
}

static void sandbox_init(struct sandbox *sandbox, const struct policy *policy) {
	uint64_t base = sandbox->memory_base;
	bool command = sandbox->command, one_shot = sandbox->one_shot;
	int lifeline = sandbox->lifeline;

	*sandbox = (struct sandbox){
		.on = true,
		.view = -1,
		.ruleset = -1,
		.listener = -1,
		.init_children = -1,
		.own_children = -1,
		.null_device = -1,
		.memory_base = base,
		.address_base = process_status(0, "VmSize:") * 1024,
		.command = command,
		.lifeline = lifeline,
		.one_shot = one_shot,
		.probes = one_shot                ? SANDBOX_PROBE_ALL
			  : policy->probe_workers ? SANDBOX_PROBE_SELF
						  : SANDBOX_PROBE_NONE,
	};
	memcpy(sandbox->limits, policy->limits, sizeof sandbox->limits);
	if (wants(policy, LAYER_LANDLOCK))
		sandbox->landlock_abi = landlock_abi();
	/* a learning policy records every call and refuses none */
	sandbox->scratch = policy->limits[POLICY_SCRATCH] != POLICY_NO_LIMIT && !policy->learn &&
			   wants(policy, LAYER_MOUNT);
}

typedef int (*prepare_step)(struct sandbox *sandbox, const struct policy *policy,
			    struct sandbox_trouble *trouble);

int sandbox_prepare(struct sandbox *sandbox, const struct policy *given,
		    struct sandbox_trouble *trouble) {
	static const prepare_step steps[] = {
		counted_settle, settle_scratch, start_filter,    enter_namespaces,
		build_files,    finish_filter,  restrict_zygote,
	};
	struct policy policy = *given;
	int r;

	sandbox_init(sandbox, &policy);
	if (SANITIZED && !policy.learn) {
		policy.groups |= UINT64_C(1) << CALLS_SANITIZER;
		sandbox->layers |= LAYER_SANITIZER;
	}
	r = open_kept(sandbox, trouble);
	if (r == 0 && (r = identity_settle(sandbox, &policy, trouble)) < 0)
		r = without(sandbox, &policy, r, trouble);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && r == 0; i++) {
		r = steps[i](sandbox, &policy, trouble);
		if (r < 0)
			r = without(sandbox, &policy, r, trouble);
	}
	sandbox->scratch = sandbox->scratch && sandbox_has(sandbox, LAYER_MOUNT);
	sandbox->own_ipc = sandbox_has(sandbox, LAYER_IPC) && policy.groups & UINT64_C(1)
										  << CALLS_IPC;
	sandbox->layers |= wants(&policy, LAYER_DESCRIPTORS) ? LAYER_DESCRIPTORS : 0;
	probe_prepare(sandbox, &policy);
	if (r == 0)
		r = namespace_check(sandbox, trouble);
	if (r == 0 && !sandbox->one_shot)
		r = rehearsal_run(sandbox, trouble);
	sandbox->filter_listens = policy.report != POLICY_REPORT_NONE || policy.learn;
	sandbox->filter_inherited =
	    sandbox_has(sandbox, LAYER_SECCOMP) && filter_is_inherited(sandbox, &policy);
	describe(sandbox);
	return error_trace(r);
}
