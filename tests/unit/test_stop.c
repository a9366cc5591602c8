/* SPDX-License-Identifier: MIT
 *
 * executor/stop and link: who is signalled. Workers and zygotes are children of this process that
 * wait on a pipe: one that nobody has killed exits when it is closed, and says so by its code.
 */
#include "executor/stop.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "executor/link.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

#define SPARED 7

struct child {
	pid_t pid;
	int gate;
};

static struct child child_start(void) {
	struct child child;
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	child.pid = fork();
	ck_assert_int_ge(child.pid, 0);
	if (child.pid == 0) {
		fd_close_others(ends, 1);
		_exit(read(ends[0], &byte, 1) == 0 ? SPARED : 99);
	}
	fd_close(ends[0]);
	child.gate = ends[1];
	return child;
}

/* Reaps it. Was it killed? */
static bool child_was_killed(struct child *child) {
	struct exit_status status;

	child->gate = fd_close(child->gate);
	ck_assert_int_eq(process_reap(child->pid, &status), 0);
	ck_assert(exit_status_is_kill(&status) || (status.exited && status.code == SPARED));
	return exit_status_is_kill(&status);
}

/* --- a worker whose pidfd was lost for want of a descriptor --- */

static struct worker *add_without_pidfd(struct fake *fake, pid_t pid) {
	struct worker *worker = fake_ask(fake)->worker;

	worker_take_process(worker, pid, -1);
	ck_assert(worker_step(worker, WORKER_SPAWNED));
	return worker;
}

START_TEST(test_worker_without_a_pidfd_is_opened_late) {
	struct fake *fake = fake_reused(1);
	struct child child = child_start();
	struct worker *worker = add_without_pidfd(fake, child.pid);

	fake->generation->pidfd = process_open(getpid()); /* its zygote lives */
	stop_kill(worker);
	ck_assert(child_was_killed(&child));
	fake_free(fake);
}
END_TEST

/* Its number may be a stranger's if its zygote has ended, even if that is only known to the
 * kernel. */
START_TEST(test_stranger_is_not_opened_late) {
	struct fake *fake = fake_reused(1);
	struct child child = child_start(), zygote = child_start();
	struct worker *worker = add_without_pidfd(fake, child.pid);

	fake->generation->pidfd = process_open(zygote.pid);
	ck_assert(!child_was_killed(&zygote));
	stop_kill(worker);
	ck_assert(!child_was_killed(&child));
	fake_free(fake);
}
END_TEST

enum unsure { NO_KEEPER, ZYGOTE_LOST, NO_ZYGOTE, WORKER_HAS_ENDED, N_UNSURE };

START_TEST(test_number_that_nobody_keeps_is_not_opened) {
	struct fake *fake = fake_reused(1);
	struct child child = child_start();
	struct worker *worker = add_without_pidfd(fake, child.pid);

	if (_i != NO_ZYGOTE)
		fake->generation->pidfd = process_open(getpid());
	if (_i == NO_KEEPER)
		fake->generation->orphaned = true;
	if (_i == ZYGOTE_LOST)
		fake->generation->state = GENERATION_LOST;
	if (_i == WORKER_HAS_ENDED)
		worker_ended(worker, NULL, false);
	stop_kill(worker);
	ck_assert(!child_was_killed(&child));
	fake_free(fake);
}
END_TEST

/* --- a zygote that must answer --- */

static const struct wf_executor_options brisk = { .workers = 1,
						  .tuning.hand_ahead = 1,
						  .tuning.zygote_reply_ms = 1000 };

/* A worker of it runs a task. */
static struct wf_future *set_to_work(struct fake *fake, pid_t zygote, int control_take) {
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = fake_submit(fake);

	fake->generation->pidfd = process_open(zygote);
	fake->generation->control = control_take;
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake_receive(fake, worker), 1);
	return future;
}

static void pass_two_pings(struct fake *fake) {
	for (int i = 0; i < 3; i++)
		fake_pass(fake, 500 * NSEC_PER_MSEC);
}

static void finish(struct fake *fake, struct wf_future *future) {
	fake_end(fake, &fake->workers[0], 0, SIGKILL);
	fake_release(fake, future);
	fake_free(fake);
}

START_TEST(test_zygote_that_does_not_answer_is_killed) {
	struct fake *fake = fake_new(brisk);
	struct child zygote = child_start();
	struct wf_future *future;
	int pair[2];

	ck_assert_int_eq(fd_seqpacket_pair(pair), 0);
	future = set_to_work(fake, zygote.pid, pair[0]);
	pass_two_pings(fake);
	ck_assert(child_was_killed(&zygote));
	fd_close(pair[1]);
	finish(fake, future);
}
END_TEST

START_TEST(test_zygote_that_was_not_asked_owes_no_answer) {
	struct fake *fake = fake_new(brisk);
	struct child zygote = child_start();
	struct wf_future *future;
	int pair[2];

	ck_assert_int_eq(fd_seqpacket_pair(pair), 0);
	fd_close(pair[1]);
	future = set_to_work(fake, zygote.pid, pair[0]);
	pass_two_pings(fake);
	ck_assert(!child_was_killed(&zygote));
	finish(fake, future);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("stop");

	tcase_add_test(test_case, test_worker_without_a_pidfd_is_opened_late);
	tcase_add_test(test_case, test_stranger_is_not_opened_late);
	tcase_add_loop_test(test_case, test_number_that_nobody_keeps_is_not_opened, 0, N_UNSURE);
	tcase_add_test(test_case, test_zygote_that_does_not_answer_is_killed);
	tcase_add_test(test_case, test_zygote_that_was_not_asked_owes_no_answer);
	return fixture_run("stop", test_case);
}
