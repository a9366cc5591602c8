/* SPDX-License-Identifier: MIT
 *
 * The preload is the only time at which code of the image runs in the zygote. Its output goes to
 * the executor as part of its report; descriptors 1 and 2 are restored before the audit.
 */
#include "zygote/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "sandbox/environment.h"
#include "sandbox/prepare.h"
#include "zygote/birth.h"
#include "zygote/command.h"
#include "zygote/crash.h"
#include "zygote/facts.h"
#include "zygote/frozen.h"
#include "zygote/module.h"

#define DEPTH_VARIABLE "WARMFORK_DEPTH"

static bool preload_fail(struct session *session, int error, const char *step) {
	session->load.step = step;
	session->load.error = error;
	return false;
}

/* --- output -------------------------------------------------------------------------------- */

struct output {
	int saved[2]; /* what 1 and 2 were, or -1 if closed */
};

static void output_redirect(struct output *output) {
	(void)fflush(NULL);
	for (int i = 0; i < 2; i++) {
		output->saved[i] = fd_duplicate(i + 1);
		(void)dup2(ZYGOTE_OUTPUT, i + 1);
	}
	(void)fd_close(ZYGOTE_OUTPUT);
}

static void output_restore(struct output *output) {
	(void)fflush(NULL);
	for (int i = 0; i < 2; i++) {
		if (output->saved[i] >= 0)
			(void)dup2(output->saved[i], i + 1);
		else
			(void)close(i + 1);
		output->saved[i] = fd_close(output->saved[i]);
	}
}

/* --- loading ------------------------------------------------------------------------------- */

/* The argument is copied out of the zygote's own memory, which the hook's children do not have. */
static bool hook_run(struct session *session, const struct message_load *load) {
	const struct wf_module *module = &session->image.module;
	size_t size = load->preload_argument.size;
	struct wf_preload_info info = {
		.size = sizeof info,
		.argument_size = size,
		.generation = load->generation,
	};
	uint8_t *argument;
	int code;

	if (!module->preload)
		return true;
	argument = malloc(size + 1);
	if (!argument)
		return preload_fail(session, ENOMEM, "preload");
	if (size > 0)
		memcpy(argument, load->preload_argument.data, size);
	argument[size] = '\0';
	info.argument = argument;
	code = module->preload(&info);
	free(argument);
	if (code == 0)
		return true;
	(void)snprintf(session->load.text, sizeof session->load.text,
		       "the preload hook of %s returned %d: what it wrote may say why",
		       session->image.name, code);
	return preload_fail(session, code, "preload");
}

static bool image_load(struct session *session, const struct message_load *load) {
	struct image *image = &session->image;
	char *text = session->load.text;
	const char *step = "module";
	uint64_t before = clock_now();
	bool done;
	int r;

	if (load->kind == IMAGE_COMMAND)
		r = image_set_module(image, command_module(), text, LIMIT_TEXT);
	else if (session->self)
		r = image_set_module(image, session->self, text, LIMIT_TEXT);
	else
		r = module_load(load->module, &session->log, image, &step, text, LIMIT_TEXT);
	if (r < 0)
		return preload_fail(session, -r, step);
	done = hook_run(session, load);
	session->load.preload_ns = clock_now() - before;
	return done;
}

static bool image_audit(struct session *session) {
	struct image *image = &session->image;
	struct session_load *load = &session->load;
	struct audit *audit = &load->audit;
	size_t n_waived;
	int r = audit_run(audit, image, &session->memory->sweep);

	if (r < 0) {
		(void)snprintf(load->text, sizeof load->text, "a trial fork failed: %s",
			       strerrordesc_np(-r));
		return preload_fail(session, -r, "audit");
	}
	n_waived = audit_split(audit);
	if (n_waived == audit->n_findings)
		return true;
	/* The waived findings have been moved to the front; the refusal names the others. */
	audit->n_findings -= n_waived;
	memmove(audit->findings, audit->findings + n_waived,
		audit->n_findings * sizeof audit->findings[0]);
	(void)snprintf(load->text, sizeof load->text,
		       "the audit found %zu thing%s that no worker may inherit", audit->n_findings,
		       audit->n_findings == 1 ? "" : "s");
	return preload_fail(session, 0, "audit");
}

/* --- the report ---------------------------------------------------------------------------- */

static void answer_ready(struct session *session, const struct message_load *load) {
	struct message_image_ready *facts = &session->answer.image_ready;

	session->answer = (struct message){ .type = MESSAGE_IMAGE_READY };
	facts_fill(facts);
	facts->generation = load->generation;
	facts->functions = session->image.functions;
	facts->n_functions = session->image.n_functions;
	facts->has_initializer = session->image.module.initialize != NULL;
	facts->preload_ns = session->load.preload_ns;
	facts->findings = session->load.audit.findings;
	facts->n_findings = session->load.audit.n_findings;
}

static void report_failed(struct session *session) {
	const struct session_load *load = &session->load;
	const struct message failed = {
		.type = MESSAGE_IMAGE_FAILED,
		.image_failed = {
			.step = load->step,
			.error = load->error,
			.text = load->text,
			.findings = load->audit.findings,
			.n_findings = load->audit.n_findings,
		},
	};

	(void)session_send(session, &failed, NULL, 0);
}

/* Freezing is the last step: whatever is written to later is copied at each fork. */
static bool image_freeze(struct session *session, const struct message_load *load) {
	struct message_image_ready *ready = &session->answer.image_ready;
	int r = frozen_begin(session, load->freeze, ready);

	if (r == 0 && ready->frozen && load->touch_ahead)
		touch_begin(&session->image.touch, session->freeze);
	if (r == 0)
		return true;
	(void)snprintf(session->load.text, sizeof session->load.text, "it cannot be frozen: %s",
		       ready->freeze_note);
	(void)preload_fail(session, -r, "freeze");
	report_failed(session);
	return false;
}

static uint64_t image_bytes(const struct message_image_ready *ready) {
	return ready->anonymous_bytes + ready->frozen_bytes;
}

static bool sandbox_failed(struct session *session, int r) {
	const struct sandbox_trouble *trouble = &session->load.trouble;

	(void)snprintf(session->load.text, sizeof session->load.text, "the sandbox: %s%s%.3800s",
		       trouble->layer ? policy_layer_name(trouble->layer) : "",
		       trouble->layer ? ": " : "", trouble->text);
	(void)preload_fail(session, -r, "sandbox");
	session->load.audit.n_findings = 0; /* they were waived */
	report_failed(session);
	return false;
}

/* This comes after the freeze because what it makes for workers is not part of the image. */
static bool image_sandbox(struct session *session) {
	struct message_image_ready *ready = &session->answer.image_ready;
	struct sandbox *sandbox = &session->image.sandbox;
	int r;

	if (!session->policy)
		return true;
	sandbox->memory_base = image_bytes(ready);
	sandbox->command = session->image.kind == IMAGE_COMMAND;
	sandbox->one_shot = session->image.one_shot;
	sandbox->lifeline = ZYGOTE_LIFELINE;
	r = sandbox_prepare(sandbox, session->policy, &session->load.trouble);
	(void)munmap(session->policy_memory.memory, session->policy_memory.size);
	session->policy = NULL;
	if (r < 0)
		return sandbox_failed(session, r);
	ready->layers = sandbox->text;
	ready->init = sandbox->init;
	ready->memory_group = sandbox->cgroup.memory.base;
	ready->pids_group = sandbox->cgroup.pids.base;
	return true;
}

bool preload_close(struct session *session) {
	struct sandbox *sandbox = &session->image.sandbox;
	int r = sandbox->on ? sandbox_close(sandbox, &session->load.trouble) : 0;

	if (r < 0)
		return sandbox_failed(session, r);
	if (sandbox->on && sandbox->listener >= 0) {
		session->answer.image_ready.listener = true;
		session->answer_fds[session->n_answer_fds++] = fd_steal(&sandbox->listener);
	}
	return true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void preload_prepare(struct session *session, const struct message_load *load) {
	const int own[] = { ZYGOTE_CONTROL, ZYGOTE_LIFELINE, session->cells };
	char depth[16];

	session->image.kind = load->kind;
	session->image.generation = load->generation;
	session->image.measure_memory = load->measure_memory;
	session->image.one_shot = load->one_shot;
	session->image.spin_us = load->spin_us;
	(void)snprintf(session->image.name, sizeof session->image.name, "%s", load->name);
	(void)snprintf(session->image.title_end, sizeof session->image.title_end, " of %s",
		       session->image.name);
	(void)snprintf(depth, sizeof depth, "%u", load->depth);
	(void)setenv(DEPTH_VARIABLE, depth, 1);
	process_title("warmfork: zygote of %s", session->image.name);
	if (load->kind == IMAGE_COMMAND)
		return;
	crash_prepare();
	audit_begin(&session->load.audit, load->audit_waive, own, sizeof own / sizeof own[0]);
}

static void replace_environment(struct session *session) {
	int r = session->policy ? environment_replace(session->policy) : 0;

	if (r < 0)
		session_end(session, LOG_ERROR, "the environment cannot be replaced");
}

static bool command_ready(struct session *session, const struct message_load *load) {
	session->answer = (struct message){ .type = MESSAGE_IMAGE_READY };
	session->answer.image_ready.generation = load->generation;
	session->answer.image_ready.functions = session->image.functions;
	session->answer.image_ready.n_functions = session->image.n_functions;
	session->answer.image_ready.freeze_note = "nothing is preloaded";
	session->answer.image_ready.threads = 1;
	replace_environment(session);
	return image_sandbox(session);
}

bool preload_run(struct session *session, const struct message_load *load) {
	struct output output;
	bool done;

	preload_prepare(session, load);
	output_redirect(&output);
	done = image_load(session, load);
	output_restore(&output);
	/* no code of the user has run that could have left something, and there is nothing
	 * to freeze */
	if (load->kind == IMAGE_COMMAND)
		return command_ready(session, load);
	done = done && image_audit(session);
	if (!done) {
		report_failed(session);
		return false;
	}
	crash_install();
	replace_environment(session);
	answer_ready(session, load);
	(void)fflush(NULL);
	return image_freeze(session, load) && image_sandbox(session);
}
