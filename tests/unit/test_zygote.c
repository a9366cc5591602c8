/* SPDX-License-Identifier: MIT
 *
 * Keeper, zygote and workers, seen by a peer that speaks the protocol and nothing else. What a
 * process did to the others is looked up in /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <warmfork/executor.h>

#include "base/fd.h"
#include "base/process.h"
#include "tests/support/fixture.h"
#include "tests/support/tree.h"
#include "tests/unit/zygote_fake.h"

static struct fake fake;

static void signal_and_close(int pidfd, int number) {
	ck_assert_int_eq(process_signal(pidfd, number), 0);
}

static struct exit_status expect_exit(const struct fake_worker *worker, bool swept) {
	const struct message_worker_exited *exited =
	    &fake_expect(&fake, fake.zygote, MESSAGE_WORKER_EXITED)->worker_exited;

	ck_assert_uint_eq(exited->worker_id, worker->id);
	ck_assert_int_eq(exited->pid, worker->pid);
	ck_assert_int_eq(exited->swept, swept);
	return exited->status;
}

#define STATE 256

static void remember_state(struct fake_worker *worker, char *state) {
	(void)snprintf(state, STATE, "%s", fake_text(fake_run(&fake, worker, "state", "")));
}

/* --- tasks --------------------------------------------------------------------------------- */

START_TEST(test_task_returns_its_input) {
	struct fake_worker worker;
	const struct message_result *result;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	for (int i = 0; i < 100; i++) {
		result = fake_run(&fake, &worker, "echo", "hello");
		ck_assert_int_eq(result->kind, RESULT_RETURNED);
		ck_assert_str_eq(fake_text(result), "hello");
		ck_assert_uint_eq(result->sequence, (unsigned)i);
	}
	result = fake_run(&fake, &worker, "facts", "");
	ck_assert_str_eq(fake_text(result), "1 1 1 101 ");
	result = fake_run(&fake, &worker, "fail", "");
	ck_assert_int_eq(result->kind, RESULT_FAILED);
	ck_assert_int_eq(result->code, 7);
	ck_assert_str_eq(result->text, "no such word: xyzzy");
	fake_forget(&worker);
	ck_assert(expect_exit(&worker, true).exited);
	fake_close(&fake);
}
END_TEST

START_TEST(test_task_cancelled_is_skipped) {
	struct fake_worker worker;
	struct cell_claim *claim;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	/* Stopped, so that it cannot claim it first. */
	signal_and_close(worker.pidfd, SIGSTOP);
	ck_assert(fake_expect(&fake, fake.zygote, MESSAGE_WORKER_STOPPED)->worker_stopped.stopped);
	fake_submit(&fake, &worker, "echo", "a", NULL, NULL, 0);
	fake_submit(&fake, &worker, "echo", "b", NULL, NULL, 0);
	claim = cell_claim(fake_cell(&fake, &worker), 0);
	ck_assert(claim_swap(claim, 0, CLAIM_CANCELLED));
	signal_and_close(worker.pidfd, SIGCONT);
	ck_assert(!fake_expect(&fake, fake.zygote, MESSAGE_WORKER_STOPPED)->worker_stopped.stopped);
	ck_assert_int_eq(fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result.kind,
			 RESULT_SKIPPED);
	ck_assert_str_eq(fake_text(&fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result),
			 "b");
	fake_forget(&worker);
	ck_assert(expect_exit(&worker, true).exited);
	fake_close(&fake);
}
END_TEST

static void check_large(struct fake_worker *worker, const char *function) {
	const struct message_result *result = fake_run(&fake, worker, function, "");
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	char *map;

	ck_assert_int_eq(result->kind, RESULT_RETURNED);
	ck_assert(result->payload_in_memfd);
	ck_assert_uint_eq(result->payload_size, 1 << 20);
	ck_assert_uint_eq(fake.frame.n_descriptors, 1);
	ck_assert_int_eq(fcntl(fake.frame.descriptors[0], F_GET_SEALS) & seals, seals);
	map = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fake.frame.descriptors[0], 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(map[0], 'x');
	ck_assert_int_eq(map[(1 << 20) - 1], 'x');
	ck_assert_int_eq(munmap(map, 1 << 20), 0);
}

START_TEST(test_task_returns_much_sealed) {
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	check_large(&worker, "large");
	check_large(&worker, "large, shared");
	check_large(&worker, "large");
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* The limit is for files of the task. */
START_TEST(test_task_returns_much_though_its_files_are_limited) {
	const struct message_rlimit limit = { RLIMIT_FSIZE, 4096 };
	const struct message_context context = {
		.directory = "",
		.rlimits = &limit,
		.n_rlimits = 1,
	};
	static const char *const functions[] = { "large", "large, shared" };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		const struct message_result *result;

		fake_submit(&fake, &worker, functions[i], "", &context, NULL, 0);
		result = &fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result;
		ck_assert_int_eq(result->kind, RESULT_RETURNED);
		ck_assert_uint_eq(result->payload_size, 1 << 20);
	}
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_task_context) {
	const char *const strings[] = { "WF_TOY=1", "PATH=/nowhere", "WF_TOY=2" };
	struct message_context context = {
		.environment = strings,
		.n_environment = 3,
		.directory = "/proc",
		.set_umask = true,
		.umask = 077,
		.streams = { STREAM_NULL, STREAM_DESCRIPTOR, STREAM_LEAVE },
		.n_descriptors = 1,
	};
	struct fake_worker worker;
	char text[64], before[STATE];
	int out[2], in[2], fds[2];

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	remember_state(&worker, before);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(write(in[1], "extra", 5), 5);
	fds[0] = out[1];
	fds[1] = in[0];
	fake_submit(&fake, &worker, "state", "", &context, fds, 2);
	ck_assert_str_eq(fake_text(&fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result),
			 "2 1 /proc 77 1 0 0 0 0 0 1 1 1 0 work");
	fake_submit(&fake, &worker, "print", "captured", &context, fds, 2);
	ck_assert_int_eq(fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result.kind,
			 RESULT_RETURNED);
	ck_assert_int_eq(read(out[0], text, sizeof text), 8);
	fake_submit(&fake, &worker, "read descriptor", "", &context, fds, 2);
	ck_assert_str_eq(fake_text(&fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result),
			 "extra");
	context.directory = "/does/not/exist";
	fake_submit(&fake, &worker, "echo", "", &context, fds, 2);
	(void)fake_expect(&fake, worker.channel, MESSAGE_RESULT);
	ck_assert_int_eq(fake.message.result.kind, RESULT_NOT_SET_UP);
	ck_assert_int_eq(fake.message.result.code, ENOENT);
	ck_assert_ptr_nonnull(strstr(fake.message.result.text, "/does/not/exist"));
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "state", "")), before);
	/* Nothing of the task holds the pipe any more. */
	fd_close(out[1]);
	ck_assert_int_eq(read(out[0], text, sizeof text), 0);
	fd_close(out[0]);
	fd_close_all(in, 2);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_task_leaves_no_trace) {
	struct fake_worker worker;
	struct watch watch = { 0 };
	char before[STATE];

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	remember_state(&worker, before);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fake_run(&fake, &worker, "mess", "")->kind, RESULT_RETURNED);
		watch_add(&watch, fake_run_pid(&fake, &worker, "daemon"));
		ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "state", "")), before);
		ck_assert_uint_eq(watch_alive(&watch), 0);
	}
	ck_assert_int_eq(fake_run(&fake, &worker, "thread", "")->kind, RESULT_RETURNED);
	(void)fake_expect(&fake, worker.channel, MESSAGE_LEAVING);
	fake_expect_end(&fake, worker.channel);
	ck_assert_int_eq(expect_exit(&worker, true).code, 0);
	watch_clear(&watch);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

static const struct {
	const char *function, *text;
} leavings[] = {
	{ "leak", "tasks left 100 descriptors open" },
	{ "disown", "it was no subreaper any more" },
	{ "privileges", "its user, group or privileges were changed" },
	{ "forget stdin", "stdin, stdout or stderr of stdio was closed or replaced" },
	{ "close stdio", "stdin, stdout or stderr of stdio was closed or replaced" },
};

START_TEST(test_task_makes_the_worker_leave) {
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	ck_assert_int_eq(fake_run(&fake, &worker, leavings[_i].function, "")->kind,
			 RESULT_RETURNED);
	(void)fake_expect(&fake, worker.channel, MESSAGE_LEAVING);
	ck_assert_str_eq(fake.message.leaving.text, leavings[_i].text);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* Neither worker nor zygote may wait for it: the keeper ends it. */
START_TEST(test_task_leaves_a_process_that_cannot_be_killed) {
	struct fake_worker worker;

	if (geteuid() != 0)
		return;
	fake_open(&fake, -1);
	fake_load(&fake, "no kill");
	worker = fake_spawn(&fake, 0);
	ck_assert_int_eq(fake_run(&fake, &worker, "other user", "")->kind, RESULT_RETURNED);
	(void)fake_expect(&fake, worker.channel, MESSAGE_LEAVING);
	ck_assert_ptr_nonnull(strstr(fake.message.leaving.text, "cannot be ended"));
	ck_assert_int_eq(expect_exit(&worker, true).code, 0);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_task_that_does_not_fit_is_refused) {
	const struct message_context context = { .directory = "", .n_descriptors = 1 };
	struct fake_worker worker;
	const struct message_result *result;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	result = fake_run(&fake, &worker, "missing", "");
	ck_assert_int_eq(result->kind, RESULT_NOT_SET_UP);
	ck_assert_int_eq(result->code, ENOSYS);
	ck_assert_str_ne(result->text, "");
	fake_submit(&fake, &worker, "echo", "", &context, NULL, 0);
	result = &fake_expect(&fake, worker.channel, MESSAGE_RESULT)->result;
	ck_assert_int_eq(result->kind, RESULT_NOT_SET_UP);
	ck_assert_int_eq(result->code, EPROTO);
	ck_assert_str_ne(result->text, "");
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "fine")), "fine");
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_task_child_that_returns_is_not_the_worker) {
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "return in child", "")),
				 "once");
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "still")), "still");
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* --- ends ---------------------------------------------------------------------------------- */

START_TEST(test_end_is_reported) {
	struct fake_worker worker;
	struct exit_status status;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	fake_submit(&fake, &worker, "crash", "", NULL, NULL, 0);
	status = expect_exit(&worker, true);
	ck_assert_int_eq(status.signal, SIGSEGV);
	ck_assert_uint_eq(atomic_load(&fake_cell(&fake, &worker)->crash.known), 1);
	ck_assert_uint_eq(fake_cell(&fake, &worker)->crash.address, 16);
	ck_assert_int_eq(fake_cell(&fake, &worker)->crash.signal, SIGSEGV);
	fake_forget(&worker);

	worker = fake_spawn(&fake, 0);
	fake_submit(&fake, &worker, "abort", "", NULL, NULL, 0);
	ck_assert_int_eq(expect_exit(&worker, true).signal, SIGABRT);
	ck_assert_uint_eq(atomic_load(&fake_cell(&fake, &worker)->crash.known), 0);
	fake_forget(&worker);

	worker = fake_spawn(&fake, 1);
	fake_submit(&fake, &worker, "exit", "4", NULL, NULL, 0);
	status = expect_exit(&worker, true);
	ck_assert(status.exited);
	ck_assert_int_eq(status.code, 4);
	ck_assert_uint_gt(status.peak_rss, 0);
	fake_forget(&worker);

	worker = fake_spawn(&fake, 0);
	signal_and_close(worker.pidfd, SIGSEGV);
	ck_assert_int_eq(expect_exit(&worker, true).signal, SIGSEGV);
	ck_assert_uint_eq(atomic_load(&fake_cell(&fake, &worker)->crash.known), 0);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* It cannot tell the result, and does not look as if the task had exited. */
START_TEST(test_end_of_a_worker_without_its_channel) {
	static const char *const ways[] = { "shut channel", "replace channel" };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		for (uint32_t max_tasks = 0; max_tasks < 2; max_tasks++) {
			worker = fake_spawn(&fake, max_tasks);
			fake_submit(&fake, &worker, ways[i], "", NULL, NULL, 0);
			ck_assert_int_eq(expect_exit(&worker, true).code, 1);
			ck_assert_uint_eq(fake_cell(&fake, &worker)->lost_channel, 1);
			fake_forget(&worker);
		}
	fake_close(&fake);
}
END_TEST

/* Nobody wants to trace it: it ends of its signal, and its neighbour and the zygote do not
 * notice. */
START_TEST(test_end_of_a_worker_that_is_traced_by_its_parent) {
	struct fake_worker worker, neighbour;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	neighbour = fake_spawn(&fake, 0);
	fake_submit(&fake, &worker, "trace me", "", NULL, NULL, 0);
	ck_assert_int_eq(expect_exit(&worker, true).signal, SIGUSR1);
	fake_submit(&fake, &neighbour, "exit", "4", NULL, NULL, 0);
	ck_assert_int_eq(expect_exit(&neighbour, true).code, 4);
	fake_forget(&worker);
	fake_forget(&neighbour);
	fake_close(&fake);
}
END_TEST

/* The kernel tells the end of a tracee to its tracer, and to its parent only when that lets go
 * of it. So the zygote learns of it when it is asked to look. */
START_TEST(test_end_of_a_worker_that_is_traced_by_its_child) {
	const struct message ping = { .type = MESSAGE_PING, .ping = { 1 } };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	fake_submit(&fake, &worker, "end traced", "", NULL, NULL, 0);
	ck_assert_int_eq(process_await_end(worker.pidfd, FIXTURE_CAP_MS), 0);
	fake_send(&fake, fake.zygote, &ping, NULL, 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_PONG);
	ck_assert_int_eq(
	    fake_expect(&fake, fake.zygote, MESSAGE_WORKER_EXITED)->worker_exited.status.code, 9);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* The same when the zygote is dead: the keeper has become its parent. */
START_TEST(test_end_of_an_adopted_worker_that_is_traced) {
	struct fake_worker worker;
	struct message keep = { .type = MESSAGE_KEEP };
	int32_t pid;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	pid = worker.pid;
	signal_and_close(fake.zygote_pidfd, SIGKILL);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	keep.keep = (struct message_pids){ fake.generation, &pid, 1 };
	fake_send(&fake, fake.keeper, &keep, NULL, 0);
	ck_assert_uint_eq(fake_expect(&fake, fake.keeper, MESSAGE_KEPT)->kept.n_pids, 1);
	fake_submit(&fake, &worker, "trace me", "", NULL, NULL, 0);
	ck_assert_int_eq(
	    fake_expect(&fake, fake.keeper, MESSAGE_ADOPTED_EXITED)->adopted_exited.status.signal,
	    SIGUSR1);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

/* A worker that was forked in vain is ended, although there is no pidfd of it. */
START_TEST(test_end_comes_without_pidfds) {
	const struct message drain = { .type = MESSAGE_DRAIN };
	const struct message_spawned_worker *refused;

	fake_open(&fake, -1);
	fake_load(&fake, "no pidfds");
	refused = fake_spawn_refused(&fake);
	ck_assert_int_eq(refused->error, ENOSYS);
	ck_assert_str_eq(refused->step, "pidfd");
	fake_send(&fake, fake.zygote, &drain, NULL, 0);
	ck_assert_int_eq(process_await_end(fake.zygote_pidfd, FIXTURE_CAP_MS), 0);
	fake_close(&fake);
}
END_TEST

START_TEST(test_end_sweeps_what_a_worker_left) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 1);
	watch_add(&watch, fake_run_pid(&fake, &worker, "daemon"));
	(void)expect_exit(&worker, false);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_SWEPT);
	ck_assert_uint_eq(fake.message.swept.n_worker_ids, 1);
	ck_assert_uint_eq(fake.message.swept.worker_ids[0], worker.id);
	ck_assert_uint_eq(fake.message.swept.processes, 1);
	ck_assert_uint_eq(watch_alive(&watch), 0);
	watch_clear(&watch);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_stack_is_written_on_request) {
	struct fake_worker worker;
	struct cell *cell;
	char stack[LIMIT_STACK_TEXT + 1] = "";

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	cell = fake_cell(&fake, &worker);
	fake_run_until_started(&fake, &worker, "sleep");
	signal_and_close(worker.pidfd, CELL_STACK_SIGNAL);
	/* The handler interrupts sigsuspend(2). */
	(void)fake_expect(&fake, worker.channel, MESSAGE_RESULT);
	memcpy(stack, cell->stack, atomic_load(&cell->stack_size));
	ck_assert_msg(strstr(stack, "zygote_toy.so"), "%s", stack);
	ck_assert_int_eq(strncmp(stack, "#0 ", 3), 0);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_drain_waits_for_the_last_worker) {
	const struct message drain = { .type = MESSAGE_DRAIN };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	fake_send(&fake, fake.zygote, &drain, NULL, 0);
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "on")), "on");
	fake_forget(&worker);
	(void)expect_exit(&worker, true);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	ck_assert(fake.message.zygote_exited.status.exited);
	ck_assert_int_eq(fake.message.zygote_exited.status.code, 0);
	fake_close(&fake);
}
END_TEST

/* --- refusals ------------------------------------------------------------------------------ */

static const struct {
	uint32_t min_version, max_version;
	const char *nonce;
} greetings[] = {
	{ PROTOCOL_VERSION_MAX + 1, PROTOCOL_VERSION_MAX + 1, FAKE_NONCE },
	{ 0, PROTOCOL_VERSION_MIN - 1, FAKE_NONCE },
	{ PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, "ffffffffffffffffffffffffffffffff" },
};

START_TEST(test_greeting_is_refused) {
	fake_open(&fake, -1);
	fake_start_zygote(&fake);
	fake_greet(&fake, greetings[_i].min_version, greetings[_i].max_version,
		   greetings[_i].nonce);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_REFUSED);
	ck_assert_str_ne(fake.message.refused.text, "");
	fake_expect_end(&fake, fake.zygote);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	fake_close(&fake);
}
END_TEST

/* Asks for two workers that cannot be forked. */
static void expect_refused_spawn(int error, const char *step) {
	const struct message_spawn_worker entries[] = { { .worker_id = 71 }, { .worker_id = 72 } };
	const struct message spawn = { .type = MESSAGE_SPAWN, .spawn = { 7, entries, 2 } };
	const struct message_spawned *spawned;
	int one[2], other[2], fds[2];

	ck_assert_int_eq(fd_seqpacket_pair(one), 0);
	ck_assert_int_eq(fd_seqpacket_pair(other), 0);
	fds[0] = one[1];
	fds[1] = other[1];
	fake_send(&fake, fake.zygote, &spawn, fds, 2);
	fd_close_all(fds, 2);
	spawned = &fake_expect(&fake, fake.zygote, MESSAGE_SPAWNED)->spawned;
	ck_assert_uint_eq(spawned->request, 7);
	ck_assert_uint_eq(spawned->n_workers, 2);
	ck_assert_uint_eq(fake.frame.n_descriptors, 0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(spawned->workers[i].worker_id, 71 + i);
		ck_assert_int_eq(spawned->workers[i].error, error);
		ck_assert_str_eq(spawned->workers[i].step, step);
	}
	/* Only the workers hold their ends of the channels. */
	fake_expect_end(&fake, one[0]);
	fake_expect_end(&fake, other[0]);
	fd_close(one[0]);
	fd_close(other[0]);
}

START_TEST(test_spawn_without_room_for_descriptors) {
	struct rlimit limit, none = { .rlim_cur = 4, .rlim_max = 4 };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	ck_assert_int_eq(prlimit(fake.zygote_pid, RLIMIT_NOFILE, NULL, &limit), 0);
	none.rlim_max = limit.rlim_max;
	ck_assert_int_eq(prlimit(fake.zygote_pid, RLIMIT_NOFILE, &none, NULL), 0);
	expect_refused_spawn(EMFILE, "descriptors");
	ck_assert_int_eq(prlimit(fake.zygote_pid, RLIMIT_NOFILE, &limit, NULL), 0);
	worker = fake_spawn(&fake, 0);
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_spawn_while_draining) {
	const struct message drain = { .type = MESSAGE_DRAIN };
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	worker = fake_spawn(&fake, 0);
	fake_send(&fake, fake.zygote, &drain, NULL, 0);
	expect_refused_spawn(ESHUTDOWN, "drain");
	fake_forget(&worker);
	(void)expect_exit(&worker, true);
	fake_expect_end(&fake, fake.zygote);
	fake_close(&fake);
}
END_TEST

/* --- images -------------------------------------------------------------------------------- */

static const struct {
	const char *argument;
	unsigned kind;
	const char *word;
} findings[] = {
	{ "thread", WF_AUDIT_THREADS, "thread" },
	{ "descriptor", WF_AUDIT_DESCRIPTORS, "/dev/zero" },
	{ "lock", WF_AUDIT_LOCKS, "FLOCK" },
	{ "child", WF_AUDIT_CHILDREN, "child process" },
	{ "signals", WF_AUDIT_SIGNALS, "SIGUSR1" },
	{ "timer", WF_AUDIT_TIMERS, "ITIMER_REAL" },
	{ "no zombies", WF_AUDIT_SIGNALS, "SIGCHLD" },
};

START_TEST(test_image_finding_is_refused_or_waived) {
	const struct message_finding *first;
	struct fake_worker worker;
	unsigned kinds = 0;

	fake_open(&fake, -1);
	fake_start(&fake, TOY, findings[_i].argument, 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_FAILED);
	ck_assert_str_eq(fake.message.image_failed.step, "audit");
	ck_assert_uint_ge(fake.message.image_failed.n_findings, 1);
	for (size_t i = 0; i < fake.message.image_failed.n_findings; i++)
		kinds |= fake.message.image_failed.findings[i].kind;
	first = fake.message.image_failed.findings;
	ck_assert_uint_ne(kinds & findings[_i].kind, 0);
	ck_assert_ptr_nonnull(strstr(fake.message.image_failed.text, "the audit found"));
	ck_assert_ptr_nonnull(strstr(first->text, "options.audit_waive"));
	if (first->kind == findings[_i].kind)
		ck_assert_msg(strstr(first->text, findings[_i].word), "%s", first->text);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);

	fake_start(&fake, TOY, findings[_i].argument, findings[_i].kind | WF_AUDIT_DESCRIPTORS);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_READY);
	ck_assert_uint_ge(fake.message.image_ready.n_findings, 1);
	worker = fake_spawn(&fake, 0);
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "fine")), "fine");
	fake_forget(&worker);
	(void)expect_exit(&worker, true);
	fake_close(&fake);
}
END_TEST

START_TEST(test_image_failures) {
	char text[128];

	fake_open(&fake, -1);
	fake_start(&fake, TOY, "fail", 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_FAILED);
	ck_assert_str_eq(fake.message.image_failed.step, "preload");
	ck_assert_int_eq(fake.message.image_failed.error, 3);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	ck_assert_int_eq(read(fake.output, text, sizeof text), 18);
	ck_assert_mem_eq(text, "preload says fail\n", 18);
	ck_assert_int_eq(read(fake.output, text, sizeof text), 0);

	fake_start(&fake, "/does/not/exist.so", "", 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_FAILED);
	ck_assert_str_eq(fake.message.image_failed.step, "open");
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);

	fake_start(&fake, "libc.so.6", "", 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_FAILED);
	ck_assert_str_eq(fake.message.image_failed.step, "module");
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);

	fake_start(&fake, TOY, "crash", 0);
	fake_expect_end(&fake, fake.zygote);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	ck_assert_int_eq(fake.message.zygote_exited.status.signal, SIGSEGV);

	fake_load(&fake, "uninitializable");
	ck_assert_int_eq(fake_spawn_error(&fake), 5);
	fake_close(&fake);
}
END_TEST

/* As cp(1) does it: the same file, emptied, and other bytes. */
static void overwrite(const char *path, size_t size) {
	static char nonsense[1 << 20];
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	memset(nonsense, 0xcc, sizeof nonsense);
	ck_assert_int_eq(write(fd, nonsense, size), (ssize_t)size);
	fd_close(fd);
}

START_TEST(test_image_outlives_its_file) {
	static const size_t sizes[] = { 4096, 0, 100000 };
	struct fake_worker worker;
	char path[300];

	(void)snprintf(path, sizeof path, "%s/toy.so", fixture_scratch());
	fixture_copy_file(TOY, path, O_EXCL, 0700);
	fake_open(&fake, -1);
	fake_start(&fake, path, "", 0);
	(void)fake_expect(&fake, fake.zygote, MESSAGE_IMAGE_READY);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		overwrite(path, sizes[i]);
		worker = fake_spawn(&fake, 0);
		ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "fine")), "fine");
		ck_assert_int_eq(fake_run(&fake, &worker, "mess", "")->kind, RESULT_RETURNED);
		fake_forget(&worker);
		(void)expect_exit(&worker, true);
	}
	fake_close(&fake);
}
END_TEST

/* --- deaths of keeper, zygote and host ------------------------------------------------------- */

START_TEST(test_zygote_killed_workers_go_on) {
	struct fake_worker kept, lost;
	struct watch watch = { 0 };
	int32_t pids[2];
	struct message keep = { .type = MESSAGE_KEEP };

	fake_open(&fake, -1);
	fake_load(&fake, "");
	kept = fake_spawn(&fake, 0);
	lost = fake_spawn(&fake, 0);
	fake_run_until_started(&fake, &lost, "daemon then sleep");
	watch_tree(&watch, lost.pid);
	ck_assert_uint_ge(watch.n, 2);
	signal_and_close(fake.zygote_pidfd, SIGKILL);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	ck_assert_int_eq(fake.message.zygote_exited.status.signal, SIGKILL);
	fake_expect_end(&fake, fake.zygote);
	ck_assert_uint_eq(watch_alive(&watch), watch.n);

	/* A new zygote beside what the old one left. */
	fake_load(&fake, "again");
	pids[0] = kept.pid;
	pids[1] = getpid();
	keep.keep = (struct message_pids){ fake.generation - 1, pids, 2 };
	fake_send(&fake, fake.keeper, &keep, NULL, 0);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_KEPT);
	ck_assert_uint_eq(fake.message.kept.n_pids, 1);
	ck_assert_int_eq(fake.message.kept.pids[0], kept.pid);
	ck_assert_uint_eq(watch_await_end(&watch, FIXTURE_CAP_MS), 0);
	watch_clear(&watch);

	ck_assert_str_eq(fake_text(fake_run(&fake, &kept, "echo", "on")), "on");
	watch_add(&watch, fake_run_pid(&fake, &kept, "daemon"));
	signal_and_close(kept.pidfd, SIGSTOP);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ADOPTED_STOPPED);
	ck_assert(fake.message.adopted_stopped.stopped);
	signal_and_close(kept.pidfd, SIGKILL);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ADOPTED_EXITED);
	ck_assert_int_eq(fake.message.adopted_exited.status.signal, SIGKILL);
	ck_assert_int_eq(fake.message.adopted_exited.pid, kept.pid);
	ck_assert_uint_eq(watch_await_end(&watch, FIXTURE_CAP_MS), 0);
	watch_clear(&watch);
	fake_forget(&kept);
	fake_forget(&lost);
	fake_close(&fake);
}
END_TEST

/* A tree below the keeper with a daemon that has left every group and session. */
static void grow_tree(struct watch *watch, struct fake_worker *worker, const char *argument) {
	fake_open(&fake, -1);
	fake_load(&fake, argument);
	*worker = fake_spawn(&fake, 0);
	fake_run_until_started(&fake, worker, "daemon then sleep");
	watch_tree(watch, fake.keeper_pid);
	ck_assert_uint_ge(watch->n, 4);
}

static void expect_nobody(struct watch *watch, struct fake_worker *worker) {
	size_t n = watch_await_end(watch, 5000);

	ck_assert_msg(n == 0, "alive: %s", watch_describe(watch));
	watch_clear(watch);
	fake_forget(worker);
	fake_close(&fake);
}

START_TEST(test_keeper_killed_nobody_survives) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	grow_tree(&watch, &worker, "");
	signal_and_close(fake.keeper_pidfd, SIGKILL);
	expect_nobody(&watch, &worker);
}
END_TEST

START_TEST(test_control_closed_nobody_survives) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	grow_tree(&watch, &worker, "");
	fake.keeper = fd_close(fake.keeper);
	expect_nobody(&watch, &worker);
}
END_TEST

START_TEST(test_control_garbled_nobody_survives) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	grow_tree(&watch, &worker, "");
	ck_assert_int_eq(write(fake.keeper, "garbage", 7), 7);
	expect_nobody(&watch, &worker);
}
END_TEST

START_TEST(test_zygote_dropped_nobody_of_it_survives) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	grow_tree(&watch, &worker, "");
	watch_clear(&watch);
	watch_tree(&watch, fake.zygote_pid);
	fake.zygote = fd_close(fake.zygote);
	ck_assert_uint_eq(watch_await_end(&watch, 5000), 0);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	expect_nobody(&watch, &worker);
}
END_TEST

/* Nobody is left above the daemon but the guard. */
START_TEST(test_keeper_and_zygote_killed_nobody_survives) {
	struct fake_worker worker;
	struct watch watch = { 0 };

	grow_tree(&watch, &worker, "");
	signal_and_close(fake.zygote_pidfd, SIGSTOP);
	signal_and_close(fake.keeper_pidfd, SIGKILL);
	signal_and_close(fake.zygote_pidfd, SIGKILL);
	expect_nobody(&watch, &worker);
}
END_TEST

START_TEST(test_keeper_killed_when_its_zygote_is_dead_nobody_survives) {
	struct message keep = { .type = MESSAGE_KEEP };
	struct fake_worker worker;
	struct watch watch = { 0 };
	int32_t pid;

	grow_tree(&watch, &worker, "");
	pid = worker.pid;
	signal_and_close(fake.zygote_pidfd, SIGKILL);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	keep.keep = (struct message_pids){ fake.generation, &pid, 1 };
	fake_send(&fake, fake.keeper, &keep, NULL, 0);
	ck_assert_uint_eq(fake_expect(&fake, fake.keeper, MESSAGE_KEPT)->kept.n_pids, 1);
	ck_assert_uint_eq(watch_alive(&watch), watch.n - 1);
	signal_and_close(fake.keeper_pidfd, SIGKILL);
	expect_nobody(&watch, &worker);
}
END_TEST

START_TEST(test_guard_killed_pool_goes_on) {
	struct fake_worker worker;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	signal_and_close(fake.guard, SIGKILL);
	worker = fake_spawn(&fake, 0);
	ck_assert_str_eq(fake_text(fake_run(&fake, &worker, "echo", "on")), "on");
	fake_forget(&worker);
	fake_close(&fake);
}
END_TEST

START_TEST(test_keeper_killed_during_preload) {
	struct watch watch = { 0 };
	char text[64];

	fake_open(&fake, -1);
	fake_start(&fake, TOY, "hang", 0);
	ck_assert_int_eq(read(fake.output, text, 1), 1);
	watch_tree(&watch, fake.keeper_pid);
	ck_assert_uint_eq(watch.n, 2);
	signal_and_close(fake.keeper_pidfd, SIGKILL);
	ck_assert_uint_eq(watch_await_end(&watch, 5000), 0);
	watch_clear(&watch);
	fake_close(&fake);
}
END_TEST

/* A process that maps a file gets SIGBUS if another shortens that file: the file must be sealed. */
START_TEST(test_cells_that_are_not_sealed_are_refused) {
	fake_open(&fake, -1);
	fd_close(fake.cells_fd);
	fake.cells_fd = fd_memfd("cells", LIMIT_WORKERS * CELL_SIZE);
	fake_start(&fake, TOY, "", 0);
	fake_expect_end(&fake, fake.zygote);
	fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_EXITED);
	ck_assert_int_eq(fake.message.zygote_exited.status.code, 3);
	fake_close(&fake);
}
END_TEST

/* Descriptors that no message of its kind has, and kinds that may not come now. */
static const struct {
	enum message_type type;
	bool descriptor, to_keeper;
} unexpected[] = {
	{ MESSAGE_PING, true, false },   { MESSAGE_DRAIN, true, false },
	{ MESSAGE_HELLO, false, false }, { MESSAGE_PONG, false, false },
	{ MESSAGE_KEEP, true, true },    { MESSAGE_QUIT, true, true },
	{ MESSAGE_PING, false, true },
};

START_TEST(test_unexpected_costs_the_connection) {
	struct message message = { .type = unexpected[_i].type };
	const bool to_keeper = unexpected[_i].to_keeper;

	if (message.type == MESSAGE_HELLO)
		message.hello = (struct message_hello){ 1, 1, FAKE_NONCE };

	fake_open(&fake, -1);
	fake_load(&fake, "");
	fake_send(&fake, to_keeper ? fake.keeper : fake.zygote, &message, &fake.cells_fd,
		  unexpected[_i].descriptor);
	fake_expect_end(&fake, to_keeper ? fake.keeper : fake.zygote);
	if (to_keeper)
		fake_await_keeper(&fake);
	fake_close(&fake);
}
END_TEST

START_TEST(test_host_ends_pool_ends) {
	pid_t host = fork();
	int pidfd;

	if (host == 0)
		for (;;)
			(void)pause();
	pidfd = process_open(host);
	fake_open(&fake, pidfd);
	fake_load(&fake, "");
	signal_and_close(pidfd, SIGKILL);
	ck_assert_int_eq(process_reap(host, NULL), 0);
	fake_await_keeper(&fake);
	fd_close(pidfd);
	fake_close(&fake);
}
END_TEST

START_TEST(test_keeper_reports_failing_exec) {
	struct message start = {
		.type = MESSAGE_START_ZYGOTE,
		.start_zygote = { 9, IMAGE_SELF, "00000000000000000000000000000000", "x", 0 },
	};
	int fds[3] = { -1, -1, -1 };

	fake_open(&fake, -1);
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[2] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	fake_send(&fake, fake.keeper, &start, fds, 3);
	(void)fake_expect(&fake, fake.keeper, MESSAGE_ZYGOTE_STARTED);
	ck_assert_int_eq(fake.message.zygote_started.error, EACCES);
	ck_assert_str_eq(fake.message.zygote_started.step, "exec");
	ck_assert_uint_eq(fake.frame.n_descriptors, 0);
	fake_load(&fake, "");
	fd_close_all(fds, 3);
	fake_close(&fake);
}
END_TEST

/* The executor does not read for a while: nothing is lost, nobody waits for ever. */
START_TEST(test_zygote_waits_for_a_slow_reader) {
	enum { N = 400 };
	static struct fake_worker workers[N];
	size_t n_exited = 0, n_unswept = 0;

	fake_open(&fake, -1);
	fake_load(&fake, "");
	for (int i = 0; i < N; i++)
		workers[i] = fake_spawn(&fake, 0);
	for (int i = 0; i < N; i++)
		fd_close(workers[i].channel);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(process_await_end(workers[i].pidfd, FIXTURE_CAP_MS), 0);
	/* With so many, the zygote does not look at all children for each of them. */
	while (n_exited < N || n_unswept > 0) {
		const struct message *message = fake_next(&fake, fake.zygote);

		if (message->type == MESSAGE_SWEPT) {
			ck_assert_uint_ge(n_unswept, message->swept.n_worker_ids);
			n_unswept -= message->swept.n_worker_ids;
		} else {
			ck_assert_int_eq((int)message->type, MESSAGE_WORKER_EXITED);
			n_unswept += !message->worker_exited.swept;
			n_exited++;
		}
	}
	for (int i = 0; i < N; i++)
		fd_close(workers[i].pidfd);
	workers[0] = fake_spawn(&fake, 0);
	ck_assert_str_eq(fake_text(fake_run(&fake, &workers[0], "echo", "on")), "on");
	fake_forget(&workers[0]);
	fake_close(&fake);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("zygote");

	tcase_add_test(test_case, test_task_returns_its_input);
	tcase_add_test(test_case, test_task_cancelled_is_skipped);
	tcase_add_test(test_case, test_task_returns_much_sealed);
	tcase_add_test(test_case, test_task_returns_much_though_its_files_are_limited);
	tcase_add_test(test_case, test_task_context);
	tcase_add_test(test_case, test_task_leaves_no_trace);
	tcase_add_loop_test(test_case, test_task_makes_the_worker_leave, 0,
			    (int)(sizeof leavings / sizeof leavings[0]));
	tcase_add_test(test_case, test_task_leaves_a_process_that_cannot_be_killed);
	tcase_add_test(test_case, test_task_that_does_not_fit_is_refused);
	tcase_add_test(test_case, test_task_child_that_returns_is_not_the_worker);
	tcase_add_test(test_case, test_end_is_reported);
	tcase_add_test(test_case, test_end_of_a_worker_without_its_channel);
	tcase_add_test(test_case, test_end_of_a_worker_that_is_traced_by_its_parent);
	tcase_add_test(test_case, test_end_of_a_worker_that_is_traced_by_its_child);
	tcase_add_test(test_case, test_end_of_an_adopted_worker_that_is_traced);
	tcase_add_test(test_case, test_end_comes_without_pidfds);
	tcase_add_test(test_case, test_end_sweeps_what_a_worker_left);
	tcase_add_test(test_case, test_stack_is_written_on_request);
	tcase_add_test(test_case, test_drain_waits_for_the_last_worker);
	tcase_add_loop_test(test_case, test_greeting_is_refused, 0,
			    (int)(sizeof greetings / sizeof greetings[0]));
	tcase_add_test(test_case, test_spawn_without_room_for_descriptors);
	tcase_add_test(test_case, test_spawn_while_draining);
	tcase_add_loop_test(test_case, test_image_finding_is_refused_or_waived, 0,
			    (int)(sizeof findings / sizeof findings[0]));
	tcase_add_test(test_case, test_image_failures);
	tcase_add_test(test_case, test_image_outlives_its_file);
	tcase_add_test(test_case, test_zygote_killed_workers_go_on);
	tcase_add_test(test_case, test_keeper_killed_nobody_survives);
	tcase_add_test(test_case, test_control_closed_nobody_survives);
	tcase_add_test(test_case, test_control_garbled_nobody_survives);
	tcase_add_test(test_case, test_zygote_dropped_nobody_of_it_survives);
	tcase_add_test(test_case, test_keeper_and_zygote_killed_nobody_survives);
	tcase_add_test(test_case, test_keeper_killed_when_its_zygote_is_dead_nobody_survives);
	tcase_add_test(test_case, test_guard_killed_pool_goes_on);
	tcase_add_test(test_case, test_keeper_killed_during_preload);
	tcase_add_test(test_case, test_cells_that_are_not_sealed_are_refused);
	tcase_add_loop_test(test_case, test_unexpected_costs_the_connection, 0,
			    sizeof unexpected / sizeof unexpected[0]);
	tcase_add_test(test_case, test_host_ends_pool_ends);
	tcase_add_test(test_case, test_keeper_reports_failing_exec);
	tcase_add_test(test_case, test_zygote_waits_for_a_slow_reader);
	return fixture_run("zygote", test_case);
}
