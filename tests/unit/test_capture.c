/* SPDX-License-Identifier: MIT
 *
 * executor/capture, and futures whose output is still to be read: whoever holds the kernel's lock
 * of a pipe keeps a thread of ours, and nobody who waits for a future. A thread of the test holds
 * it, as a task would, in splice(2) from a socket that has nothing to read.
 */
#include "executor/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "executor/conclude.h"
#include "tests/support/fixture.h"
#include "tests/support/in_call.h"
#include "tests/support/look.h"
#include "tests/unit/executor_fake.h"

#define PATIENCE (5000 * NSEC_PER_MSEC)

struct holder {
	pthread_t thread;
	_Atomic pid_t tid;
	int sockets[2];
	int pipe_end;
};

static struct fake *fake;
static struct wf_future *future;
static int write_end;
static int n_news;

static void *hold(void *context) {
	struct holder *holder = context;

	holder->tid = gettid();
	(void)!splice(holder->sockets[0], NULL, holder->pipe_end, NULL, 4096, 0);
	return NULL;
}

static bool is_in_splice(pid_t tid) {
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
	return is_in_call(path, SYS_splice, NULL);
}

static void begin_holding(struct holder *holder, int pipe_end) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	*holder = (struct holder){ .pipe_end = pipe_end };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, holder->sockets), 0);
	ck_assert_int_eq(pthread_create(&holder->thread, NULL, hold, holder), 0);
	while (!is_in_splice(holder->tid))
		ck_assert(look_again(&look));
}

static void end_holding(struct holder *holder) {
	ck_assert_int_eq(shutdown(holder->sockets[1], SHUT_WR), 0);
	ck_assert_int_eq(pthread_join(holder->thread, NULL), 0);
	fd_close_all(holder->sockets, 2);
}

static void on_news(struct capture *capture) {
	n_news++;
	future_was_read(container_of(capture, struct wf_future, captures[0]));
}

static void begin(enum wf_on_overflow overflow) {
	const struct task_stream stream = { .limit = 4, .overflow = overflow };

	n_news = 0;
	fake = fake_reused(1);
	future = fake_submit(fake);
	future_unqueue(future);
	engine_lock(&fake->engine);
	offload_begin(&fake->offload);
	ck_assert_int_eq(
	    capture_open(&future->captures[0], &fake->engine, &stream, on_news, &write_end), 0);
	engine_unlock(&fake->engine);
}

static void put(const char *text) {
	ck_assert_int_eq(write(write_end, text, strlen(text)), (ssize_t)strlen(text));
}

static void end_future(void) {
	engine_lock(&fake->engine);
	future->outcome.kind = WF_RETURNED;
	future_end(future);
	engine_unlock(&fake->engine);
}

static enum future_state state(void) {
	enum future_state now;

	engine_lock(&fake->engine);
	now = future->state;
	engine_unlock(&fake->engine);
	return now;
}

static bool has_been_read(void) {
	bool has;

	engine_lock(&fake->engine);
	has = !list_is_empty(&fake->engine.read);
	engine_unlock(&fake->engine);
	return has;
}

static void await_read(void) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	while (!has_been_read())
		ck_assert(look_again(&look));
}

/* As the pump does. */
static const struct wf_outcome *resolve(void) {
	engine_lock(&fake->engine);
	conclude_read(&fake->engine);
	engine_unlock(&fake->engine);
	return &future->outcome;
}

/* A thread that was left gives its reference back at its end. The future has one too. */
static void end(void) {
	fake_release(fake, future);
	offload_end(&fake->offload);
	while (atomic_load(&fake->engine.references) > 1)
		(void)sched_yield();
	fake_free(fake);
}

/* It has written `text` and holds its pipe when its future ends. */
static void begin_held(struct holder *holder, const char *text) {
	begin(WF_OVERFLOW_TRUNCATE);
	put(text);
	begin_holding(holder, write_end);
	end_future();
}

static unsigned count_descriptors(void) {
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(test_an_empty_pipe_needs_no_reading) {
	begin(WF_OVERFLOW_TRUNCATE);
	end_future();
	ck_assert_int_eq(state(), FUTURE_RESOLVED);
	ck_assert_str_eq(future->outcome.standard_output.data, "");
	ck_assert(!future->outcome.standard_output.incomplete);
	end();
}
END_TEST

START_TEST(test_the_last_bytes_are_waited_for) {
	begin(WF_OVERFLOW_TRUNCATE);
	put("last");
	end_future();
	await_read();
	ck_assert_int_eq(state(), FUTURE_ENDING);
	ck_assert_str_eq(resolve()->standard_output.data, "last");
	ck_assert(!future->outcome.standard_output.incomplete);
	end();
}
END_TEST

START_TEST(test_the_last_bytes_may_be_too_many) {
	begin(WF_OVERFLOW_KILL);
	put("bytes");
	end_future();
	await_read();
	ck_assert_int_eq(resolve()->kind, WF_OUTPUT_LIMIT);
	ck_assert_int_eq(future->outcome.output_limit.stream, 1);
	ck_assert_str_eq(future->outcome.standard_output.data, "byte");
	ck_assert_uint_eq(future->outcome.standard_output.dropped, 1);
	end();
}
END_TEST

/* A task may have enlarged its pipe. */
START_TEST(test_a_large_pipe_is_read_to_its_end) {
	static char block[1 << 20];

	begin(WF_OVERFLOW_TRUNCATE);
	if (fcntl(write_end, F_SETPIPE_SZ, 4 * sizeof block) < 0)
		ck_assert_int_eq(errno, EPERM); /* only root may */
	else
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(write(write_end, block, sizeof block), sizeof block);
	put("last");
	end_future();
	await_read();
	(void)resolve();
	ck_assert_mem_eq(future->outcome.standard_output.data, "last", 4);
	end();
}
END_TEST

/* A pipe of packets gives one of them to each read. */
START_TEST(test_packets_are_read_to_the_last) {
	begin(WF_OVERFLOW_TRUNCATE);
	ck_assert_int_eq(fcntl(write_end, F_SETFL, O_DIRECT), 0);
	for (int i = 0; i < 12; i++)
		put("0123456789");
	end_future();
	await_read();
	ck_assert_uint_eq(resolve()->standard_output.size, 4);
	ck_assert_uint_eq(future->outcome.standard_output.dropped, 116);
	end();
}
END_TEST

/* It lets go in time: nothing is lost. */
START_TEST(test_a_pipe_that_is_held_for_a_while) {
	struct holder holder;

	begin_held(&holder, "held");
	ck_assert_int_eq(state(), FUTURE_ENDING);
	end_holding(&holder);
	await_read();
	ck_assert_str_eq(resolve()->standard_output.data, "held");
	ck_assert(!future->outcome.standard_output.incomplete);
	end();
}
END_TEST

/* It does not: the future resolves without the rest, and the pipe is closed once that can be done. */
START_TEST(test_a_pipe_that_is_held_on) {
	unsigned before = count_descriptors();
	struct holder holder;

	begin_held(&holder, "lost");
	engine_lock(&fake->engine);
	fake_pass(fake, PATIENCE - 1);
	ck_assert(list_is_empty(&fake->engine.read));
	fake_pass(fake, 1);
	engine_unlock(&fake->engine);
	ck_assert(has_been_read());
	ck_assert_uint_eq(resolve()->standard_output.size, 0);
	ck_assert(future->outcome.standard_output.incomplete);
	ck_assert_int_eq(future->outcome.kind, WF_RETURNED);
	end_holding(&holder);
	end();
	ck_assert_int_eq(n_news, 0);
	ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

START_TEST(test_a_hurried_end_waits_for_a_moment) {
	struct holder holder;

	begin_held(&holder, "lost");
	engine_lock(&fake->engine);
	future_hurry_ending(&fake->engine);
	fake_pass(fake, PATIENCE / 10);
	engine_unlock(&fake->engine);
	ck_assert(has_been_read());
	ck_assert(resolve()->standard_output.incomplete);
	end_holding(&holder);
	end();
}
END_TEST

/* Not even closing waits, which takes the lock as well. */
START_TEST(test_an_empty_pipe_that_is_held) {
	unsigned before = count_descriptors();
	struct holder holder;

	begin(WF_OVERFLOW_TRUNCATE);
	begin_holding(&holder, write_end);
	end_future();
	ck_assert_int_eq(state(), FUTURE_RESOLVED);
	ck_assert(!future->outcome.standard_output.incomplete);
	end_holding(&holder);
	end();
	ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("capture");

	tcase_add_test(test_case, test_an_empty_pipe_needs_no_reading);
	tcase_add_test(test_case, test_the_last_bytes_are_waited_for);
	tcase_add_test(test_case, test_the_last_bytes_may_be_too_many);
	tcase_add_test(test_case, test_a_large_pipe_is_read_to_its_end);
	tcase_add_test(test_case, test_packets_are_read_to_the_last);
	tcase_add_test(test_case, test_a_hurried_end_waits_for_a_moment);
	tcase_add_test(test_case, test_a_pipe_that_is_held_for_a_while);
	tcase_add_test(test_case, test_a_pipe_that_is_held_on);
	tcase_add_test(test_case, test_an_empty_pipe_that_is_held);
	return fixture_run("capture", test_case);
}
