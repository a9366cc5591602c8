/* SPDX-License-Identifier: MIT
 *
 * Nothing here waits for ever. An attacker that neither holds nor ends is killed at its deadline. A
 * descendant that keeps the line open is the finding, and no reason to wait for it.
 */
#include "cli/attack/bout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/attack/ground.h"
#include "cli/attack/host.h"
#include "cli/attack/image.h"

#define DEADLINE_MS 10000 /* of an attacker that has no deadline of its own */
#define OUTCOME_MS  15000
#define GONE_MS     10000 /* for the last process of an attacker, after the library's sweep */

/* --- the pool ------------------------------------------------------------------------------ */

int attack_open(struct attack_ground *ground, const struct wf_policy *policy) {
	const char *outside = ground->brief.outside;
	struct wf_executor_options options =
	    WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF, .name = "attack",
				.preload_argument = outside,
				.preload_argument_size = strlen(outside),
				.audit_waive = WF_AUDIT_DESCRIPTORS, .freeze = WF_FREEZE_NEVER,
				.workers = 3, .max_tasks_per_worker = 1, .spares = WF_NO_SPARES,
				.tuning.start_attempts = 1, .kill_grace_ms = 50, .policy = policy);

	return wf_executor_open(&options, &ground->executor);
}

void attack_close(struct attack_ground *ground) {
	if (ground->executor)
		(void)wf_executor_close(ground->executor, WF_CLOSE_KILL);
	ground->executor = wf_executor_free(ground->executor);
}

bool attack_pool_works(struct attack_ground *ground) {
	struct wf_task task = WF_TASK(.function = ATTACK_BE_INNOCENT, .input = ground->brief.nonce,
				      .input_size = ATTACK_TOKEN, .timeout_ms = DEADLINE_MS);
	struct wf_future *future;
	const struct wf_outcome *outcome;
	bool works;

	if (wf_submit(ground->executor, &task, &future) < 0)
		return false;
	outcome = wf_future_wait(future, OUTCOME_MS);
	works = outcome && outcome->kind == WF_RETURNED && outcome->returned.size == ATTACK_TOKEN &&
		memcmp(outcome->returned.data, ground->brief.nonce, ATTACK_TOKEN) == 0;
	wf_future_free(future);
	return works;
}

static struct wf_statistics statistics(const struct attack_ground *ground) {
	struct wf_statistics now = { .size = sizeof now };

	(void)wf_executor_statistics(ground->executor, &now);
	return now;
}

bool attack_pool_is_whole(struct attack_ground *ground) {
	struct wf_statistics now = statistics(ground);

	return now.zygote_losses == ground->before.zygote_losses &&
	       now.keeper_starts == ground->before.keeper_starts;
}

/* --- a task -------------------------------------------------------------------------------- */

/* One end becomes the attacker's descriptor 0; the other is ours. */
static bool open_line(int ends[2]) {
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

static void release(int line) {
	(void)shutdown(line, SHUT_WR);
}

struct task {
	struct wf_future *future;
	int line; /* our end, or -1 */
};

static void task_free(struct task *task) {
	if (task->line >= 0)
		(void)close(task->line);
	task->line = -1;
	if (task->future)
		(void)wf_future_kill(task->future, WF_NO_GRACE);
	task->future = wf_future_free(task->future);
}

bool attack_submit(struct attack_ground *ground, const struct attack *attack, int line,
		   struct wf_future **ret) {
	int descriptors[ATTACK_DESCRIPTORS] = { line };
	struct wf_context context =
	    WF_CONTEXT(.standard_output.mode = WF_STDIO_NULL, .standard_error.mode = WF_STDIO_NULL,
		       .descriptors = descriptors, .n_descriptors = 1,
		       .directory = ground->directory);
	struct wf_task task =
	    WF_TASK(.function = attack->name, .input = &ground->brief,
		    .input_size = sizeof ground->brief, .flags = WF_TASK_WAIT_EXIT,
		    .timeout_ms = attack->timeout_ms > 0 ? attack->timeout_ms : DEADLINE_MS,
		    .context = &context);

	for (size_t i = 0; i < ATTACK_DESCRIPTORS - 1 && ground->extra[i] >= 0; i++)
		descriptors[context.n_descriptors++] = ground->extra[i];
	if (attack->flags & ATTACK_CAPTURE)
		context.standard_output =
		    (struct wf_stdio){ WF_STDIO_CAPTURE, -1, ATTACK_OUTPUT, WF_OVERFLOW_KILL };
	return wf_submit(ground->executor, &task, ret) == 0;
}

static bool task_start(struct attack_ground *ground, const struct attack *attack,
		       struct task *ret) {
	int ends[2];
	bool started;

	if (!open_line(ends))
		return false;
	*ret = (struct task){ .line = ends[0] };
	started = attack_submit(ground, attack, ends[1], &ret->future);
	(void)close(ends[1]);
	if (!started)
		task_free(ret);
	return started;
}

/* Receives one message of the line, if there is one. Returns false if no more will come. */
static bool hear(struct attack_ground *ground, struct attack_bout *bout, int line) {
	char message[64] = { 0 };
	ssize_t n = recv(line, message, sizeof message - 1, MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	if (message[0] == 'h')
		bout->held = true;
	else if (message[0] == 'c')
		bout->n_alive++;
	else if (message[0] == 'n')
		bout->signed_off |= strcmp(message + 1, ground->brief.nonce) == 0;
	else if (message[0] == 't')
		memcpy(&bout->told, message + 1, sizeof bout->told);
	return true;
}

static void note_end(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	const struct attack_ground *ground = context;

	(void)future;
	(void)outcome;
	(void)!write(ground->ended, &(uint64_t){ 1 }, sizeof(uint64_t));
}

/* Listens until the attacker holds or has ended. */
static void listen_to(struct attack_ground *ground, struct attack_bout *bout, int line) {
	struct pollfd poll_fds[2] = { { .fd = line, .events = POLLIN },
				      { .fd = ground->ended, .events = POLLIN } };

	while (!bout->held && poll(poll_fds, 2, OUTCOME_MS) > 0) {
		if (poll_fds[0].revents && !hear(ground, bout, line))
			return;
		if (!poll_fds[0].revents && poll_fds[1].revents)
			return;
	}
}

/* Receives what is left, and returns whether the line has ended. */
static bool is_gone(struct attack_ground *ground, struct attack_bout *bout, int line) {
	struct pollfd poll_fd = { .fd = line, .events = POLLIN };

	while (poll(&poll_fd, 1, GONE_MS) == 1)
		if (!hear(ground, bout, line))
			return true;
	return false;
}

static void take_answer(struct attack_bout *bout) {
	const struct wf_outcome *outcome = &bout->outcome;
	const char *answer = outcome->returned.data;

	if (outcome->kind != WF_RETURNED || outcome->returned.size == 0)
		return;
	bout->believes = answer[0] == '1';
	bout->loot_size = outcome->returned.size - 1;
	if (bout->loot_size > sizeof bout->loot)
		bout->loot_size = sizeof bout->loot;
	memcpy(bout->loot, answer + 1, bout->loot_size);
}

/* The callback may come a little later than the outcome, and must not be mistaken for that of the
 * next attempt. */
static void take_end(const struct attack_ground *ground) {
	struct pollfd poll_fd = { .fd = ground->ended, .events = POLLIN };
	uint64_t n;

	if (poll(&poll_fd, 1, OUTCOME_MS) == 1)
		(void)!read(ground->ended, &n, sizeof n);
}

static void take_outcome(const struct attack_ground *ground, struct task *task,
			 struct attack_bout *bout) {
	const struct wf_outcome *outcome = wf_future_wait(task->future, OUTCOME_MS);

	if (outcome) {
		bout->outcome = *outcome;
		take_answer(bout);
		take_end(ground);
	} else {
		(void)wf_future_kill(task->future, WF_NO_GRACE);
	}
	task->future = wf_future_free(task->future);
}

/* With WF_LOG the library logs what it does; this logs the bouts. */
static void trace(const struct attack_ground *ground, const struct attack *attack,
		  const struct attack_bout *bout) {
	if (!getenv("WF_LOG"))
		return;
	(void)fprintf(stderr,
		      "attack %u, column %d: pid %d, %s; held %d, believes %d, seen %d, gone %d, "
		      "alive %u, told %" PRIu64 ", loot %zu\n",
		      attack->number, ground->column, (int)bout->pid,
		      wf_outcome_kind_name(bout->outcome.kind), bout->held, bout->believes,
		      bout->seen, bout->gone, bout->n_alive, bout->told, bout->loot_size);
}

static void task_finish(struct attack_ground *ground, const struct attack *attack,
			struct task *task, struct attack_bout *ret) {
	struct wf_process process = { .size = sizeof process };

	*ret = (struct attack_bout){ .held = false };
	if (wf_future_on_done(task->future, note_end, ground) == 0)
		listen_to(ground, ret, task->line);
	if (wf_future_process(task->future, &process) == 0)
		ret->pid = process.pid;
	if (ret->held && attack->look)
		attack->look(ground, ret);
	release(task->line);
	take_outcome(ground, task, ret);
	ret->gone = is_gone(ground, ret, task->line);
	trace(ground, attack, ret);
}

bool attack_run(struct attack_ground *ground, const struct attack *attack,
		struct attack_bout *ret) {
	struct task task;

	if (!task_start(ground, attack, &task))
		return false;
	task_finish(ground, attack, &task, ret);
	task_free(&task);
	return true;
}

/* --- the sibling --------------------------------------------------------------------------- */

/* The last number of the line is the one in its own pid namespace. */
static pid_t innermost(pid_t pid) {
	char numbers[128];
	const char *at;
	pid_t inside = 0;

	attack_status(pid, "NSpid:", numbers, sizeof numbers);
	at = numbers + strlen(numbers);
	while (at > numbers && at[-1] >= '0' && at[-1] <= '9')
		at--;
	for (; *at >= '0' && *at <= '9'; at++)
		inside = inside * 10 + (*at - '0');
	return inside > 0 ? inside : pid;
}

static bool hear_sibling(struct attack_ground *ground) {
	struct pollfd poll_fd = { .fd = ground->sibling.line, .events = POLLIN };
	char message[1 + sizeof ground->brief.bits_at];
	struct wf_process process = { .size = sizeof process };

	if (poll(&poll_fd, 1, DEADLINE_MS) != 1 ||
	    recv(ground->sibling.line, message, sizeof message, 0) != sizeof message ||
	    wf_future_process(ground->sibling.future, &process) < 0)
		return false;
	memcpy(ground->brief.bits_at, message + 1, sizeof ground->brief.bits_at);
	ground->sibling.pid = process.pid;
	ground->sibling.inside = innermost(process.pid);
	ground->brief.sibling = process.pid;
	ground->brief.sibling_inside = ground->sibling.inside;
	return true;
}

static bool submit_sibling(struct attack_ground *ground, int line) {
	struct attack_sibling *sibling = &ground->sibling;
	int descriptors[2 + ATTACK_BITS] = { line, ground->lent };
	struct attack_sibling_brief brief = { .bits = sibling->bits };
	struct wf_context context =
	    WF_CONTEXT(.descriptors = descriptors, .n_descriptors = 2 + ATTACK_BITS);
	struct wf_task task =
	    WF_TASK(.function = ATTACK_BE_SIBLING, .input = &brief, .input_size = sizeof brief,
		    .context = &context, .flags = WF_TASK_WAIT_EXIT);

	memcpy(brief.token, sibling->token, sizeof brief.token);
	for (unsigned i = 0; i < ATTACK_BITS; i++)
		descriptors[2 + i] = sibling->bits & 1U << i ? ground->shared : ground->other;
	return wf_submit(ground->executor, &task, &sibling->future) == 0;
}

static bool start_sibling(struct attack_ground *ground) {
	struct attack_sibling *sibling = &ground->sibling;
	int ends[2];
	bool started;

	attack_make_token(sibling->token);
	attack_make_token(sibling->lent);
	for (size_t i = 0; i < ATTACK_TOKEN; i++)
		ground->brief.masked[i] = (char)(sibling->token[i] ^ ATTACK_MASK);
	sibling->bits = 0;
	for (unsigned i = 0; i < ATTACK_BITS; i++) /* half of the digits are even */
		sibling->bits |= (unsigned)(sibling->token[i] & 1) << i;
	if (pwrite(ground->lent, sibling->lent, ATTACK_TOKEN, 0) != ATTACK_TOKEN ||
	    !open_line(ends))
		return false;
	sibling->line = ends[0];
	started = submit_sibling(ground, ends[1]);
	(void)close(ends[1]);
	return started && hear_sibling(ground);
}

static void stop_sibling(struct attack_ground *ground) {
	struct task task = { ground->sibling.future, ground->sibling.line };

	if (task.future || task.line >= 0)
		task_free(&task);
	ground->sibling = (struct attack_sibling){ .line = -1 };
}

/* --- an attempt ---------------------------------------------------------------------------- */

static bool get_ready(struct attack_ground *ground, const struct attack *attack) {
	ground->number = 0;
	ground->brief.detail = 0;
	ground->fd = -1;
	ground->pid = 0;
	if (!attack_ground_reset(ground))
		return false;
	ground->before = statistics(ground);
	ground->brief.zygote = ground->before.zygote_pid;
	if (attack->flags & ATTACK_SIBLING && !start_sibling(ground))
		return false;
	return !attack->prepare || attack->prepare(ground);
}

static void clean_up(struct attack_ground *ground, const struct attack *attack) {
	if (attack->clean)
		attack->clean(ground);
	stop_sibling(ground);
	for (size_t i = 0; i < ATTACK_DESCRIPTORS - 1; i++) {
		if (ground->extra[i] >= 0)
			(void)close(ground->extra[i]);
		ground->extra[i] = -1;
	}
	if (ground->fd >= 0)
		(void)close(ground->fd);
	ground->fd = -1;
}

static enum attack_verdict attempt(struct attack_ground *ground, const struct attack *attack) {
	struct attack_bout bout;

	/* A worker that could not be made attacks nothing and proves nothing. */
	if (!attack_run(ground, attack, &bout) || bout.outcome.kind == 0 ||
	    bout.outcome.kind == WF_NOT_STARTED)
		return ATTACK_ERROR;
	return attack->judge(ground, &bout);
}

enum attack_verdict attack_try(struct attack_ground *ground, const struct attack *attack) {
	enum attack_verdict verdict = ATTACK_ERROR;

	if (get_ready(ground, attack))
		verdict = attack->run ? attack->run(ground, attack) : attempt(ground, attack);
	clean_up(ground, attack);
	return verdict;
}
