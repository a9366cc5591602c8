/* SPDX-License-Identifier: MIT
 *
 * The keeper gets the other end of a new socket that already holds what the zygote is to load.
 */
#include "executor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/link.h"
#include "executor/one_shot.h"
#include "policy/document.h"
#include "proto/wire.h"

#define NONCE_BYTES 16

static void on_output(struct capture *capture) {
	struct generation *generation = container_of(capture, struct generation, output);

	if (capture->finishing)
		engine_ring(generation->engine); /* it may be what the next state waits for */
}

static void on_preload_overdue(struct timer *timer, nsec_t now) {
	struct generation *generation = container_of(timer, struct generation, preload_timer);

	(void)now;
	generation->preload_overdue = true;
	generation_kill(generation);
}

static int make_nonce(char nonce[2 * NONCE_BYTES + 1]) {
	unsigned char bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return error_origin(-errno);
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int launch_open_program(bool anew) {
	char path[LIMIT_PATH];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	int fd = -1;

	if (n > 0 && anew) {
		path[n] = '\0';
		if (n > 10 && strcmp(path + n - 10, " (deleted)") == 0)
			path[n - 10] = '\0';
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0)
		fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return fd < 0 ? error_origin(-errno) : fd;
}

unsigned launch_depth(void) {
	const char *text = getenv("WARMFORK_DEPTH");
	unsigned long depth = text ? strtoul(text, NULL, 10) : 0;

	return depth > LIMIT_DEPTH ? LIMIT_DEPTH : (unsigned)depth;
}

static int send_start(struct generation *generation, struct keeper *keeper, const char *nonce,
		      const int *fds, size_t n_fds) {
	struct message_start_zygote start = {
		.generation = generation->number,
		.kind = (enum image_kind)generation->engine->options.public.image,
		.nonce = nonce,
		.program = program_invocation_name,
		.depth = launch_depth() + 1,
	};

	return keeper_start_zygote(keeper, &start, fds, n_fds);
}

static int send_policy(struct generation *generation, const struct options *options) {
	struct policy policy = *document_view(options->policy);
	uint8_t *frame = generation->engine->frame;
	size_t size = 0;
	int r;

	if (options->public.learn) {
		policy.learn = true;
		policy.groups = UINT64_C(1) << CALLS_BASE;
		policy.n_calls = 0;
		policy.report = POLICY_REPORT_PATHS;
		policy.layers = LAYER_NO_NEW_PRIVS | LAYER_SECCOMP;
	}
	r = policy_pack(&policy, frame + WIRE_HEADER, WIRE_BODY, &size);
	if (r > 0)
		return error_origin(-E2BIG);
	if (r < 0)
		return error_trace(r);
	return wire_send(generation->control, MESSAGE_POLICY, frame, size, NULL, 0, MSG_DONTWAIT);
}

static int send_load(struct generation *generation, const char *nonce, int cells) {
	const struct options *options = &generation->engine->options;
	struct message hello = {
		.type = MESSAGE_HELLO,
		.hello = { PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, nonce },
	};
	struct message load = {
		.type = MESSAGE_LOAD,
		.load = {
			.generation = generation->number,
			.kind = (enum image_kind)options->public.image,
			.module = options->module,
			.name = options->name,
			.preload_argument = { options->preload_argument,
			                      options->public.preload_argument_size },
			.audit_waive = options->public.audit_waive,
			.depth = launch_depth() + 1,
			.measure_memory = options->public.tuning.recycle_memory != 0,
			.freeze = (enum freeze_wish)options->public.freeze,
			.touch_ahead = options->public.tuning.touch_ahead &&
				       options->public.max_tasks_per_worker == 1,
			.spin_us = (uint32_t)options->public.tuning.spin_us,
			.one_shot = one_shot_is(options),
		},
	};
	int r = link_send(generation, &hello, NULL, 0);

	if (r == 0 && options->policy)
		r = send_policy(generation, options);
	return r ? r : link_send(generation, &load, &cells, 1);
}

static int start_with(struct generation *generation, struct keeper *keeper, int control, int output,
		      int cells, int program) {
	char nonce[2 * NONCE_BYTES + 1];
	int fds[3] = { control, output, -1 }, r;
	size_t n_fds = 2;

	r = make_nonce(nonce);
	if (r < 0)
		return error_trace(r);
	if (program >= 0)
		fds[n_fds++] = program;
	r = send_start(generation, keeper, nonce, fds, n_fds);
	if (r == 0)
		r = send_load(generation, nonce, cells);
	return r > 0 ? -EPIPE : r;
}

/* Nothing is preloaded for programs that could write anything: *ret_null is for the caller to close,
 * and the other descriptor belongs to the capture. */
static int open_output(struct generation *generation, int *ret, int *ret_null) {
	static const struct task_stream stream = { .limit = LIMIT_PRELOAD_OUTPUT,
						   .overflow = WF_OVERFLOW_TRUNCATE };

	if (generation->engine->options.public.image != WF_IMAGE_COMMAND)
		return error_trace(
		    capture_open(&generation->output, generation->engine, &stream, on_output, ret));
	*ret = *ret_null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return *ret < 0 ? error_origin(-errno) : 0;
}

static int open_link(struct generation *generation, struct keeper *keeper, int cells, int program) {
	struct engine *engine = generation->engine;
	int timeout_ms = engine->options.public.preload_timeout_ms;
	int pair[2], r;
	cleanup_close int peer = -1, null = -1;
	int output = -1;

	r = fd_seqpacket_pair(pair);
	if (r < 0)
		return error_trace(r);
	generation->control = pair[0];
	peer = pair[1];
	r = link_listen(generation);
	if (r >= 0)
		r = open_output(generation, &output, &null);
	if (r >= 0 && timeout_ms != WF_FOREVER)
		r = timer_set(engine->loop, &generation->preload_timer,
			      clock_after_ms(engine_now(engine), timeout_ms), on_preload_overdue);
	if (r >= 0)
		r = start_with(generation, keeper, peer, output, cells, program);
	if (r < 0)
		return error_trace(r);
	capture_sent(&generation->output);
	return 0;
}

int launch_zygote(struct generations *generations, struct keeper *keeper, int program) {
	struct generation *generation;
	cleanup_close int cells = -1;
	int r = generation_new(generations, keeper->engine, &generation, &cells);

	if (r < 0)
		return error_trace(r);
	r = open_link(generation, keeper, cells, program);
	if (r < 0) {
		generation_free(generations, generation);
		return error_trace(r);
	}
	generation->keeper = keeper;
	generations->loading = generation;
	keeper->engine->statistics.zygote_starts++;
	return 0;
}
