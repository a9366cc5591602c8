/* SPDX-License-Identifier: MIT
 *
 * The only time at which code of the image runs in the zygote. What it prints goes to the executor,
 * as part of its report; descriptors 1 and 2 are put back before the audit.
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
#include "sandbox/prepare.h"
#include "zygote/audit.h"
#include "zygote/command.h"
#include "zygote/crash.h"
#include "zygote/facts.h"
#include "zygote/frozen.h"
#include "zygote/launch.h"
#include "zygote/module.h"

#define DEPTH_VARIABLE "WARMFORK_DEPTH"

struct preload {
	const char *step;
	int error;
	char text[LIMIT_TEXT];
	uint64_t took_ns;
	struct audit audit;
};

static struct preload preload;

static bool preload_fail(int error, const char *step) {
	preload.step = step;
	preload.error = error;
	return false;
}

/* --- output -------------------------------------------------------------------------------- */

struct output {
	int saved[2]; /* what 1 and 2 were; -1: closed */
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

/* The argument is copied out of the zygote's own memory, which children of the hook do not have. */
static bool hook_run(const struct image *image, const struct message_load *load) {
	const struct wf_module *module = &image->module;
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
		return preload_fail(ENOMEM, "preload");
	if (size > 0)
		memcpy(argument, load->preload_argument.data, size);
	argument[size] = '\0';
	info.argument = argument;
	code = module->preload(&info);
	free(argument);
	if (code == 0)
		return true;
	(void)snprintf(preload.text, sizeof preload.text,
		       "the preload hook of %s returned %d: what it wrote may say why", image->name,
		       code);
	return preload_fail(code, "preload");
}

static bool image_load(struct zygote *zygote, const struct message_load *load) {
	struct image *image = &zygote->image;
	const char *step = "module";
	uint64_t before = clock_now();
	bool done;
	int r;

	if (load->kind == IMAGE_COMMAND)
		r = image_set_module(image, command_module(), preload.text, sizeof preload.text);
	else if (zygote->self)
		r = image_set_module(image, zygote->self, preload.text, sizeof preload.text);
	else
		r = module_load(load->module, &zygote->log, image, &step, preload.text,
				sizeof preload.text);
	if (r < 0)
		return preload_fail(-r, step);
	done = hook_run(image, load);
	preload.took_ns = clock_now() - before;
	return done;
}

static bool image_audit(struct zygote *zygote) {
	struct image *image = &zygote->image;
	struct audit *audit = &preload.audit;
	size_t n_waived;
	int r = audit_run(audit, image);

	if (r < 0) {
		(void)snprintf(preload.text, sizeof preload.text, "a trial fork failed: %s",
			       strerrordesc_np(-r));
		return preload_fail(-r, "audit");
	}
	n_waived = audit_split(audit);
	if (n_waived == audit->n_findings)
		return true;
	/* What is waived has been moved to the front; the refusal is about the others. */
	audit->n_findings -= n_waived;
	memmove(audit->findings, audit->findings + n_waived,
		audit->n_findings * sizeof audit->findings[0]);
	(void)snprintf(preload.text, sizeof preload.text,
		       "the audit found %zu thing%s that no worker may inherit", audit->n_findings,
		       audit->n_findings == 1 ? "" : "s");
	return preload_fail(0, "audit");
}

/* --- the report ---------------------------------------------------------------------------- */

static void answer_ready(struct zygote *zygote, const struct message_load *load) {
	struct message_image_ready *facts = &zygote->answer.image_ready;

	zygote->answer = (struct message){ .type = MESSAGE_IMAGE_READY };
	facts_fill(facts);
	facts->generation = load->generation;
	facts->functions = zygote->image.functions;
	facts->n_functions = zygote->image.n_functions;
	facts->has_initializer = zygote->image.module.initialize != NULL;
	facts->preload_ns = preload.took_ns;
	facts->findings = preload.audit.findings;
	facts->n_findings = preload.audit.n_findings;
}

static void report_failed(struct zygote *zygote) {
	const struct message failed = {
		.type = MESSAGE_IMAGE_FAILED,
		.image_failed = {
			.step = preload.step,
			.error = preload.error,
			.text = preload.text,
			.findings = preload.audit.findings,
			.n_findings = preload.audit.n_findings,
		},
	};

	(void)zygote_send(zygote, &failed, NULL, 0);
}

/* The last thing of all: whatever is written to later is copied at each fork. */
static bool image_freeze(struct zygote *zygote, const struct message_load *load) {
	struct message_image_ready *ready = &zygote->answer.image_ready;
	int r = frozen_begin(zygote, load->freeze, ready);

	if (r == 0 && ready->frozen && load->touch_ahead)
		touch_begin(&zygote->image.touch, zygote->freeze);
	if (r == 0)
		return true;
	(void)snprintf(preload.text, sizeof preload.text, "it cannot be frozen: %s",
		       ready->freeze_note);
	(void)preload_fail(-r, "freeze");
	report_failed(zygote);
	return false;
}

static uint64_t image_bytes(const struct message_image_ready *ready) {
	return ready->anonymous_bytes + ready->frozen_bytes;
}

static bool sandbox_failed(struct zygote *zygote, int r, const struct sandbox_trouble *trouble) {
	(void)snprintf(preload.text, sizeof preload.text, "the sandbox: %s%s%.3800s",
		       trouble->layer ? policy_layer_name(trouble->layer) : "",
		       trouble->layer ? ": " : "", trouble->text);
	(void)preload_fail(-r, "sandbox");
	preload.audit.n_findings = 0; /* they were waived */
	report_failed(zygote);
	return false;
}

static struct sandbox_trouble trouble;

/* After the freeze: what it makes for workers is not part of the image. */
static bool image_sandbox(struct zygote *zygote) {
	struct message_image_ready *ready = &zygote->answer.image_ready;
	struct sandbox *sandbox = &zygote->image.sandbox;
	int r;

	if (!zygote->policy)
		return true;
	sandbox->memory_base = image_bytes(ready);
	sandbox->command = zygote->image.kind == IMAGE_COMMAND;
	sandbox->lifeline = ZYGOTE_LIFELINE;
	r = sandbox_prepare(sandbox, zygote->policy, &trouble);
	(void)munmap(zygote->policy_memory.memory, zygote->policy_memory.size);
	zygote->policy = NULL;
	if (r < 0)
		return sandbox_failed(zygote, r, &trouble);
	ready->layers = sandbox->text;
	ready->init = sandbox->init;
	ready->memory_group = sandbox->cgroup.memory.base;
	ready->pids_group = sandbox->cgroup.pids.base;
	return true;
}

bool preload_close(struct zygote *zygote) {
	struct sandbox *sandbox = &zygote->image.sandbox;
	int r = sandbox->on ? sandbox_close(sandbox, &trouble) : 0;

	if (r < 0)
		return sandbox_failed(zygote, r, &trouble);
	if (sandbox->on && sandbox->listener >= 0) {
		zygote->answer.image_ready.listener = true;
		zygote->answer_fds[zygote->n_answer_fds++] = fd_steal(&sandbox->listener);
	}
	return true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void preload_prepare(struct zygote *zygote, const struct message_load *load) {
	const int own[] = { ZYGOTE_CONTROL, ZYGOTE_LIFELINE, zygote->cells };
	char depth[16];

	zygote->image.kind = load->kind;
	zygote->image.generation = load->generation;
	zygote->image.measure_memory = load->measure_memory;
	zygote->image.spin_us = load->spin_us;
	(void)snprintf(zygote->image.name, sizeof zygote->image.name, "%s", load->name);
	(void)snprintf(zygote->image.title_end, sizeof zygote->image.title_end, " of %s",
		       zygote->image.name);
	(void)snprintf(depth, sizeof depth, "%u", load->depth);
	(void)setenv(DEPTH_VARIABLE, depth, 1);
	process_title("warmfork: zygote of %s", zygote->image.name);
	if (load->kind == IMAGE_COMMAND)
		return;
	crash_prepare();
	audit_begin(&preload.audit, load->audit_waive, own, sizeof own / sizeof own[0]);
}

static bool command_ready(struct zygote *zygote, const struct message_load *load) {
	zygote->answer = (struct message){ .type = MESSAGE_IMAGE_READY };
	zygote->answer.image_ready.generation = load->generation;
	zygote->answer.image_ready.functions = zygote->image.functions;
	zygote->answer.image_ready.n_functions = zygote->image.n_functions;
	zygote->answer.image_ready.freeze_note = "nothing is preloaded";
	zygote->answer.image_ready.threads = 1;
	if (zygote->policy && sandbox_environment(zygote->policy) < 0)
		zygote_end(zygote, LOG_ERROR, "no memory for the environment");
	return image_sandbox(zygote);
}

bool preload_run(struct zygote *zygote, const struct message_load *load) {
	struct output output;
	bool done;

	preload_prepare(zygote, load);
	output_redirect(&output);
	done = image_load(zygote, load);
	output_restore(&output);
	/* nothing of the user's has run that could have left something, and there is nothing to freeze */
	if (load->kind == IMAGE_COMMAND)
		return command_ready(zygote, load);
	done = done && image_audit(zygote);
	if (!done) {
		report_failed(zygote);
		return false;
	}
	crash_install();
	if (zygote->policy && sandbox_environment(zygote->policy) < 0)
		zygote_end(zygote, LOG_ERROR, "no memory for the environment");
	answer_ready(zygote, load);
	(void)fflush(NULL);
	return image_freeze(zygote, load) && image_sandbox(zygote);
}
