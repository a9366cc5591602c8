/* SPDX-License-Identifier: MIT
 *
 * executor/offload: work that blocks keeps nobody. Jobs block on a pipe, for as long as the test
 * wants; that they are late is a matter of the clock, which the test moves.
 */
#include "executor/offload.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

#define LOOKS_MAX   32
#define OWNER_MAX   4
#define READS       70 /* more than there are threads besides those that are stuck */
#define THREADS_MAX 64
#define PATIENCE    (1000 * NSEC_PER_MSEC)
#define YIELD       (5 * NSEC_PER_MSEC) /* for one that waits */

/* It says that it runs, then waits for a byte or the end of `gate`, then says that it is done. */
struct errand {
	struct job job;
	int gate;
	int begun, done; /* write ends of pipes */
	int n_late;
	bool had_begun; /* when it was late */
};

static struct fake *fake;
static int begun[2], done[2];

static void run(struct job *job) {
	struct errand *errand = container_of(job, struct errand, job);
	char byte = 'x';

	if (write(errand->begun, &byte, 1) != 1)
		return;
	if (errand->gate >= 0)
		(void)!read(errand->gate, &byte, 1);
	(void)!write(errand->done, &byte, 1);
}

static void done_nothing(struct job *job) {
	(void)job;
}

static void late(struct job *job, bool has_begun) {
	struct errand *errand = container_of(job, struct errand, job);

	errand->n_late++;
	errand->had_begun = has_begun;
}

static void begin(void) {
	fake = fake_reused(1);
	ck_assert_int_eq(pipe2(begun, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(done, O_CLOEXEC), 0);
	offload_begin(&fake->offload);
}

/* A thread that has been left, because time stands still for whoever waits for it here, has no
 * other sign of its end than that it gives its reference back. */
static void end(void) {
	offload_end(&fake->offload);
	while (atomic_load(&fake->engine.references) > 1)
		(void)sched_yield();
	fake_free(fake);
	fd_close_all(begun, 2);
	fd_close_all(done, 2);
}

static void add_of(struct errand *errand, enum job_kind kind, uint64_t owner, int gate) {
	*errand = (struct errand){
		.job = { .kind = kind,
			 .owner = owner,
			 .run = run,
			 .done = done_nothing,
			 .late = kind == JOB_LOOK ? late : NULL },
		.gate = gate,
		.begun = begun[1],
		.done = done[1],
	};
	engine_lock(&fake->engine);
	offload_add(&fake->offload, &errand->job);
	engine_unlock(&fake->engine);
}

static void add(struct errand *errand, int gate) {
	add_of(errand, JOB_LOOK, 0, gate);
}

static void await(const int *pipe_fds) {
	char byte;

	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
}

static void pass(nsec_t time) {
	engine_lock(&fake->engine);
	fake_pass(fake, time);
	engine_unlock(&fake->engine);
}

static int count_late(const struct errand *errand) {
	int n;

	engine_lock(&fake->engine);
	n = errand->n_late;
	engine_unlock(&fake->engine);
	return n;
}

/* All looks that there may be. */
static void stick_all(struct errand *stuck, int gate) {
	for (int i = 0; i < LOOKS_MAX; i++) {
		add(&stuck[i], gate);
		if (i > 0)
			pass(YIELD);
		await(begun);
	}
	pass(PATIENCE);
	for (int i = 0; i < LOOKS_MAX; i++) {
		ck_assert_int_eq(count_late(&stuck[i]), 1);
		ck_assert(stuck[i].had_begun);
	}
}

/* Until it is begun; every time that it takes a moment, one more thread may start. */
static void expect_begun(void) {
	pass(YIELD);
	await(begun);
}

static bool has_begun(void) {
	struct pollfd poll_fd = { .fd = begun[0], .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

START_TEST(test_jobs_are_done_elsewhere) {
	struct errand errands[3];

	begin();
	for (int i = 0; i < 3; i++)
		add(&errands[i], -1);
	for (int i = 0; i < 3; i++)
		await(done);
	pass(10 * PATIENCE);
	ck_assert_int_eq(count_late(&errands[0]), 0);
	end();
}
END_TEST

START_TEST(test_ending_does_what_is_queued) {
	struct errand errands[3];

	begin();
	for (int i = 0; i < 3; i++)
		add(&errands[i], -1);
	offload_end(&fake->offload);
	for (int i = 0; i < 3; i++)
		await(done);
	end();
}
END_TEST

START_TEST(test_a_stuck_job_keeps_no_other) {
	struct errand stuck, next;
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	add(&stuck, gate[0]);
	await(begun);
	add(&next, -1);
	pass(YIELD);
	await(begun);
	await(done);
	pass(PATIENCE - YIELD - 1);
	ck_assert_int_eq(count_late(&stuck), 0);
	pass(YIELD); /* how often it is looked at */
	ck_assert_int_eq(count_late(&stuck), 1);
	ck_assert_int_eq(count_late(&next), 0);
	pass(10 * PATIENCE);
	ck_assert_int_eq(count_late(&stuck), 1);
	fd_close(gate[1]);
	await(done);
	fd_close(gate[0]);
	end();
}
END_TEST

/* One that is late without having begun is not done any more. */
START_TEST(test_only_so_many_looks) {
	struct errand stuck[LOOKS_MAX], next, last;
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	stick_all(stuck, gate[0]);
	add(&next, -1);
	pass(PATIENCE - 1);
	ck_assert_int_eq(count_late(&next), 0);
	pass(YIELD);
	ck_assert_int_eq(count_late(&next), 1);
	ck_assert(!next.had_begun);
	add(&last, -1);
	fd_close(gate[1]); /* whoever comes back does it */
	for (int i = 0; i < LOOKS_MAX + 1; i++)
		await(done);
	await(begun);
	ck_assert(!has_begun());
	fd_close(gate[0]);
	end();
}
END_TEST

/* What a task can multiply leaves room for everything else. */
START_TEST(test_stuck_looks_keep_nothing_else) {
	static const enum job_kind kinds[] = { JOB_HOST, JOB_READ, JOB_CLOSE };
	struct errand stuck[LOOKS_MAX], others[3];
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	stick_all(stuck, gate[0]);
	for (int i = 0; i < 3; i++) {
		add_of(&others[i], kinds[i], 0, -1);
		expect_begun();
		await(done);
	}
	fd_close(gate[1]);
	for (int i = 0; i < LOOKS_MAX; i++)
		await(done);
	fd_close(gate[0]);
	end();
}
END_TEST

/* There are as many of them as pipes, so more than the usual number of threads may be stuck. */
START_TEST(test_stuck_reads_keep_no_other) {
	struct errand stuck[READS], next;
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < READS; i++) {
		add_of(&stuck[i], JOB_READ, 0, gate[0]);
		pass(i < THREADS_MAX ? YIELD : PATIENCE);
		await(begun);
	}
	add_of(&next, JOB_READ, 0, -1);
	expect_begun();
	await(done);
	fd_close(gate[1]);
	for (int i = 0; i < READS; i++)
		await(done);
	fd_close(gate[0]);
	end();
}
END_TEST

START_TEST(test_looks_of_one_owner) {
	struct errand stuck[OWNER_MAX + 1], next;
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < OWNER_MAX; i++) {
		add_of(&stuck[i], JOB_LOOK, 1, gate[0]);
		expect_begun();
	}
	ck_assert(offload_is_crowded(&fake->offload, JOB_LOOK));
	ck_assert(!offload_is_crowded(&fake->offload, JOB_READ));
	add_of(&stuck[OWNER_MAX], JOB_LOOK, 1, gate[0]);
	add_of(&next, JOB_LOOK, 2, -1);
	expect_begun();
	await(done);
	ck_assert(!has_begun());
	ck_assert_int_eq(count_late(&stuck[OWNER_MAX]), 0);
	pass(PATIENCE);
	ck_assert_int_eq(count_late(&stuck[OWNER_MAX]), 1);
	ck_assert(!stuck[OWNER_MAX].had_begun);
	fd_close(gate[1]);
	for (int i = 0; i < OWNER_MAX; i++)
		await(done);
	fd_close(gate[0]);
	end();
}
END_TEST

/* Its memory goes as soon as nobody looks at it any more, and not before: a sanitizer would tell. */
static void free_errand(struct job *job) {
	free(container_of(job, struct errand, job));
}

START_TEST(test_a_job_ends_as_it_gets_late) {
	struct errand *errand = malloc(sizeof *errand);
	int gate[2];

	begin();
	ck_assert_ptr_nonnull(errand);
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	add(errand, gate[0]);
	errand->job.done = free_errand;
	await(begun);
	engine_lock(&fake->engine);
	fd_close(gate[1]);
	await(done); /* it has been run, and waits for the lock */
	fake_pass(fake, 2 * PATIENCE);
	ck_assert_int_eq(errand->n_late, 1);
	engine_unlock(&fake->engine);
	fd_close(gate[0]);
	end();
}
END_TEST

/* A thread that has come back is watched as the one before it. */
START_TEST(test_a_thread_that_comes_back_may_be_stuck_again) {
	struct errand stuck[LOOKS_MAX], next;
	int gate[2], next_gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(next_gate, O_CLOEXEC), 0);
	stick_all(stuck, gate[0]);
	add(&next, next_gate[0]);
	ck_assert_int_eq(write(gate[1], "x", 1), 1); /* one comes back */
	await(done);
	await(begun);
	pass(PATIENCE);
	ck_assert_int_eq(count_late(&next), 1);
	ck_assert(next.had_begun);
	fd_close(gate[1]);
	fd_close(next_gate[1]);
	for (int i = 0; i < LOOKS_MAX; i++)
		await(done);
	fd_close(gate[0]);
	fd_close(next_gate[0]);
	end();
}
END_TEST

/* The end does not wait for it, and it may come back at any time later. */
START_TEST(test_ending_beside_a_stuck_job) {
	struct errand stuck, next;
	int gate[2];

	begin();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	add(&stuck, gate[0]);
	await(begun);
	add(&next, -1);
	offload_end(&fake->offload);
	await(done);
	fd_close(gate[1]);
	await(done);
	fd_close(gate[0]);
	end();
}
END_TEST

START_TEST(test_descriptors_are_closed) {
	int ends[2];
	char byte;

	begin();
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	engine_lock(&fake->engine);
	offload_close(&fake->offload, &ends[1], 1);
	engine_unlock(&fake->engine);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	fd_close(ends[0]);
	end();
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("offload");

	tcase_add_test(test_case, test_jobs_are_done_elsewhere);
	tcase_add_test(test_case, test_ending_does_what_is_queued);
	tcase_add_test(test_case, test_a_stuck_job_keeps_no_other);
	tcase_add_test(test_case, test_only_so_many_looks);
	tcase_add_test(test_case, test_stuck_looks_keep_nothing_else);
	tcase_add_test(test_case, test_stuck_reads_keep_no_other);
	tcase_add_test(test_case, test_looks_of_one_owner);
	tcase_add_test(test_case, test_a_job_ends_as_it_gets_late);
	tcase_add_test(test_case, test_a_thread_that_comes_back_may_be_stuck_again);
	tcase_add_test(test_case, test_ending_beside_a_stuck_job);
	tcase_add_test(test_case, test_descriptors_are_closed);
	return fixture_run("offload", test_case);
}
