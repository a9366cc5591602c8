/* SPDX-License-Identifier: MIT
 *
 * base/loop: order of timers under a clock of the test's own, and what becomes of events that were
 * fetched for a source that has gone.
 */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/fixture.h"

static nsec_t fake_now;

static nsec_t fake_clock(void) {
	return fake_now;
}

/* A pipe end that counts, and removes another one when asked to. */
struct end {
	struct source source;
	int read_end, write_end;
	int calls;
	struct end *victim;
};

static void handle_end(struct source *source, uint32_t events) {
	struct end *end = container_of(source, struct end, source);

	ck_assert_uint_ne(events & (EPOLLIN | EPOLLHUP), 0);
	end->calls++;
	if (end->victim)
		source_remove(&end->victim->source);
}

static void end_open(struct end *end, struct loop *loop) {
	int ends[2];

	*end = (struct end){ 0 };
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	end->read_end = ends[0];
	end->write_end = ends[1];
	ck_assert_int_eq(source_add(loop, &end->source, ends[0], EPOLLIN, handle_end), 0);
}

static void end_close(struct end *end) {
	source_remove(&end->source);
	fd_close(end->read_end);
	fd_close(end->write_end);
}

static void end_ring(struct end *end) {
	ck_assert_int_eq(write(end->write_end, "x", 1), 1);
}

static struct loop *open_loop(void) {
	struct loop *loop = NULL;

	ck_assert_int_eq(loop_new(&loop), 0);
	return loop;
}

static void turn(struct loop *loop, int timeout_ms) {
	struct loop_batch batch;

	ck_assert_int_eq(loop_wait(loop_fd(loop), timeout_ms, &batch), 0);
	loop_dispatch(loop, &batch);
}

static bool is_readable(int fd) {
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 0) == 1;
}

/* --- sources --- */

START_TEST(test_handlers_are_called_for_what_is_ready) {
	struct loop *loop = open_loop();
	struct end first, second;

	end_open(&first, loop);
	end_open(&second, loop);
	ck_assert(!is_readable(loop_fd(loop)));
	end_ring(&first);
	ck_assert(is_readable(loop_fd(loop)));
	turn(loop, -1);
	ck_assert_int_eq(first.calls, 1);
	ck_assert_int_eq(second.calls, 0);
	end_close(&first);
	end_close(&second);
	loop_free(loop);
}
END_TEST

START_TEST(test_modify_silences_and_wakes) {
	struct loop *loop = open_loop();
	struct end end;

	end_open(&end, loop);
	end_ring(&end);
	ck_assert_int_eq(source_modify(&end.source, 0), 0);
	turn(loop, 0);
	ck_assert_int_eq(end.calls, 0);
	ck_assert_int_eq(source_modify(&end.source, EPOLLIN), 0);
	turn(loop, 0);
	ck_assert_int_eq(end.calls, 1);
	end_close(&end);
	loop_free(loop);
}
END_TEST

START_TEST(test_one_event_until_it_is_armed_again) {
	struct loop *loop = open_loop();
	struct end end;

	end_open(&end, loop);
	ck_assert_int_eq(source_modify(&end.source, EPOLLIN | EPOLLONESHOT), 0);
	end_ring(&end);
	for (int round = 1; round <= 2; round++) {
		turn(loop, 0);
		turn(loop, 0);
		ck_assert_int_eq(end.calls, round);
		ck_assert_int_eq(source_modify(&end.source, EPOLLIN | EPOLLONESHOT), 0);
	}
	end_close(&end);
	loop_free(loop);
}
END_TEST

/* Each removes the other: whichever comes first, the second must not be called. */
START_TEST(test_removed_by_a_handler_of_the_same_batch) {
	struct loop *loop = open_loop();
	struct end first, second;

	end_open(&first, loop);
	end_open(&second, loop);
	first.victim = &second;
	second.victim = &first;
	end_ring(&first);
	end_ring(&second);
	turn(loop, -1);
	ck_assert_int_eq(first.calls + second.calls, 1);
	end_close(&first);
	end_close(&second);
	loop_free(loop);
}
END_TEST

/* The source is gone, and its memory reused, before the batch is dispatched: what another thread
 * may do between loop_wait() and the lock. */
START_TEST(test_removed_between_wait_and_dispatch) {
	struct loop *loop = open_loop();
	struct loop_batch batch;
	struct end end, other;

	end_open(&end, loop);
	end_ring(&end);
	ck_assert_int_eq(loop_wait(loop_fd(loop), -1, &batch), 0);
	ck_assert_int_eq(batch.n, 1);
	source_remove(&end.source);
	end_open(&other, loop); /* takes the freed place */
	loop_dispatch(loop, &batch);
	ck_assert_int_eq(end.calls, 0);
	ck_assert_int_eq(other.calls, 0);
	end_close(&end);
	end_close(&other);
	loop_free(loop);
}
END_TEST

START_TEST(test_remove_is_harmless_twice_and_before_add) {
	struct source source = { 0 };
	struct loop *loop = open_loop();
	struct end end;

	source_remove(&source);
	end_open(&end, loop);
	source_remove(&end.source);
	source_remove(&end.source);
	end_close(&end);
	loop_free(loop);
}
END_TEST

START_TEST(test_add_fails_and_leaves_no_trace) {
	struct loop *loop = open_loop();
	struct source source = { 0 };

	ck_assert_int_eq(source_add(loop, &source, -1, EPOLLIN, handle_end), -EBADF);
	ck_assert_ptr_null(source.loop);
	loop_free(loop); /* asserts that it holds no source */
}
END_TEST

#define MANY_ENDS 200

START_TEST(test_more_sources_than_a_batch) {
	struct loop *loop = open_loop();
	static struct end ends[MANY_ENDS];
	char byte;

	for (size_t i = 0; i < MANY_ENDS; i++) {
		end_open(&ends[i], loop);
		end_ring(&ends[i]);
	}
	while (is_readable(loop_fd(loop))) {
		turn(loop, 0);
		for (size_t i = 0; i < MANY_ENDS; i++)
			if (ends[i].calls && is_readable(ends[i].read_end))
				ck_assert_int_eq(read(ends[i].read_end, &byte, 1), 1);
	}
	for (size_t i = 0; i < MANY_ENDS; i++) {
		ck_assert_int_ge(ends[i].calls, 1);
		end_close(&ends[i]);
	}
	loop_free(loop);
}
END_TEST

/* --- timers --- */

struct tick {
	struct timer timer;
	int calls;
	nsec_t when;
	int order;
	struct tick *victim;
};

static int tick_order;

static void handle_tick(struct timer *timer, nsec_t now) {
	struct tick *tick = container_of(timer, struct tick, timer);

	ck_assert_ptr_null(timer->loop);
	tick->calls++;
	tick->when = now;
	tick->order = ++tick_order;
	if (tick->victim)
		timer_clear(&tick->victim->timer);
}

static void tick_at(struct loop *loop, struct tick *tick, nsec_t at) {
	ck_assert_int_eq(timer_set(loop, &tick->timer, at, handle_tick), 0);
}

static void time_passes(struct loop *loop, nsec_t now) {
	struct loop_batch batch = { 0 };

	fake_now = now;
	loop_dispatch(loop, &batch);
}

#define MANY_TIMERS 500

static uint32_t random_next(uint32_t *state) {
	return *state = *state * 1664525u + 1013904223u;
}

START_TEST(test_timers_fire_in_order) {
	static struct tick ticks[MANY_TIMERS];
	struct loop *loop = open_loop();
	uint32_t state = 1;
	nsec_t at[MANY_TIMERS];

	clock_source = fake_clock;
	for (size_t i = 0; i < MANY_TIMERS; i++) {
		at[i] = 1000 + random_next(&state) % 1000;
		tick_at(loop, &ticks[i], random_next(&state));
		tick_at(loop, &ticks[i], at[i]); /* moved */
	}
	for (size_t i = 0; i < MANY_TIMERS; i += 3)
		timer_clear(&ticks[i].timer);
	for (nsec_t now = 999; now <= 2000; now++)
		time_passes(loop, now);
	for (size_t i = 0; i < MANY_TIMERS; i++) {
		ck_assert_int_eq(ticks[i].calls, i % 3 ? 1 : 0);
		if (ticks[i].calls)
			ck_assert_uint_eq(ticks[i].when, at[i]);
	}
	loop_free(loop);
}
END_TEST

/* The C library's, which the loop grows by; it can be made to fail. */
static bool no_memory;

void *reallocarray(void *ptr, size_t nmemb, size_t size) {
	if (no_memory) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, nmemb * size);
}

START_TEST(test_reserved_timers_need_no_memory) {
	static struct tick ticks[257];
	struct loop *loop = open_loop();

	clock_source = fake_clock;
	ck_assert_int_eq(loop_reserve(loop, 200), 0);
	ck_assert_int_eq(loop_reserve(loop, 56), 0);
	no_memory = true;
	for (size_t i = 0; i < 256; i++)
		tick_at(loop, &ticks[i], 10 + i);
	ck_assert_int_eq(timer_set(loop, &ticks[256].timer, 10, handle_tick), -ENOMEM);
	time_passes(loop, 1000);
	for (size_t i = 0; i < 256; i++) {
		ck_assert_int_eq(ticks[i].calls, 1);
		tick_at(loop, &ticks[i], 2000);
	}
	for (size_t i = 0; i < 256; i++)
		timer_clear(&ticks[i].timer);
	no_memory = false;
	loop_release(loop, 256);
	loop_free(loop);
}
END_TEST

START_TEST(test_several_due_at_once_fire_by_their_time) {
	struct tick ticks[3] = { 0 };
	struct loop *loop = open_loop();

	clock_source = fake_clock;
	tick_at(loop, &ticks[0], 30);
	tick_at(loop, &ticks[1], 10);
	tick_at(loop, &ticks[2], 20);
	time_passes(loop, 100);
	ck_assert_int_lt(ticks[1].order, ticks[2].order);
	ck_assert_int_lt(ticks[2].order, ticks[0].order);
	loop_free(loop);
}
END_TEST

START_TEST(test_a_handler_clears_another_timer) {
	struct tick ticks[2] = { 0 };
	struct loop *loop = open_loop();

	clock_source = fake_clock;
	ticks[0].victim = &ticks[1];
	tick_at(loop, &ticks[0], 10);
	tick_at(loop, &ticks[1], 11);
	time_passes(loop, 100);
	ck_assert_int_eq(ticks[0].calls, 1);
	ck_assert_int_eq(ticks[1].calls, 0);
	timer_clear(&ticks[1].timer);
	loop_free(loop);
}
END_TEST

START_TEST(test_never_does_not_fire) {
	struct tick tick = { 0 };
	struct loop *loop = open_loop();

	clock_source = fake_clock;
	tick_at(loop, &tick, NSEC_NEVER);
	time_passes(loop, NSEC_NEVER);
	ck_assert_int_eq(tick.calls, 0);
	ck_assert(!is_readable(loop_fd(loop)));
	timer_clear(&tick.timer);
	loop_free(loop);
}
END_TEST

/* With the real clock: a time that has passed makes the loop readable, and a timer that has fired
 * or was cleared does not leave it so. */
START_TEST(test_timerfd_follows_the_earliest) {
	struct tick early = { 0 }, late = { 0 };
	struct loop *loop = open_loop();

	tick_at(loop, &late, clock_now() + 3600 * NSEC_PER_SEC);
	ck_assert(!is_readable(loop_fd(loop)));
	tick_at(loop, &early, 0);
	turn(loop, -1);
	ck_assert_int_eq(early.calls, 1);
	ck_assert_int_eq(late.calls, 0);
	ck_assert(!is_readable(loop_fd(loop)));
	tick_at(loop, &early, 1);
	ck_assert(is_readable(loop_fd(loop)));
	timer_clear(&early.timer);
	ck_assert(!is_readable(loop_fd(loop)));
	timer_clear(&late.timer);
	loop_free(loop);
}
END_TEST

static struct loop *again_loop;

static void handle_at_once_again(struct timer *timer, nsec_t now) {
	struct tick *tick = container_of(timer, struct tick, timer);

	tick->calls++;
	ck_assert_int_eq(timer_set(again_loop, timer, now, handle_at_once_again), 0);
}

START_TEST(test_a_timer_set_to_now_waits_for_the_next_round) {
	struct tick tick = { 0 };

	again_loop = open_loop();
	ck_assert_int_eq(timer_set(again_loop, &tick.timer, 1, handle_at_once_again), 0);
	turn(again_loop, -1);
	ck_assert_int_eq(tick.calls, 1);
	ck_assert(is_readable(loop_fd(again_loop)));
	turn(again_loop, -1);
	ck_assert_int_eq(tick.calls, 2);
	timer_clear(&tick.timer);
	again_loop = loop_free(again_loop);
}
END_TEST

static void *wait_for_one(void *context) {
	struct loop_batch batch;
	struct loop *loop = context;
	int r = loop_wait(loop_fd(loop), -1, &batch);

	return r || batch.n != 1 ? loop : NULL;
}

/* Whether the thread is in epoll_wait(2) already or not yet, it must wake. */
START_TEST(test_a_timer_set_by_another_thread_wakes_the_waiter) {
	struct tick tick = { 0 };
	struct loop *loop = open_loop();
	pthread_t thread;
	void *failed;

	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_one, loop), 0);
	tick_at(loop, &tick, 1);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	timer_clear(&tick.timer);
	loop_free(loop);
}
END_TEST

START_TEST(test_free_takes_null) {
	ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

/* Somebody else closes it, puts another file over it, or it is closed and the next that we open
 * gets its number. */
START_TEST(test_descriptor_that_somebody_closes) {
	struct end stays, lost, next;
	struct loop *loop;
	int null;

	ck_assert_int_eq(loop_new(&loop), 0);
	end_open(&stays, loop);
	end_open(&lost, loop);
	ck_assert(source_is_intact(&stays.source) && source_is_intact(&lost.source));
	close(lost.read_end);
	ck_assert(source_is_intact(&stays.source) && !source_is_intact(&lost.source));
	null = fixture_open_null();
	ck_assert_int_eq(null, lost.read_end);
	ck_assert(loop_is_intact(loop) && !source_is_intact(&lost.source));
	close(null);
	end_open(&next, loop);
	ck_assert_int_eq(next.read_end, lost.read_end);
	ck_assert(!loop_is_intact(loop));
	end_close(&next);
	source_remove(&lost.source);
	close(lost.write_end);
	end_close(&stays);
	loop_free(loop);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("loop");

	tcase_add_test(test_case, test_handlers_are_called_for_what_is_ready);
	tcase_add_test(test_case, test_modify_silences_and_wakes);
	tcase_add_test(test_case, test_one_event_until_it_is_armed_again);
	tcase_add_test(test_case, test_removed_by_a_handler_of_the_same_batch);
	tcase_add_test(test_case, test_removed_between_wait_and_dispatch);
	tcase_add_test(test_case, test_remove_is_harmless_twice_and_before_add);
	tcase_add_test(test_case, test_add_fails_and_leaves_no_trace);
	tcase_add_test(test_case, test_more_sources_than_a_batch);
	tcase_add_test(test_case, test_timers_fire_in_order);
	tcase_add_test(test_case, test_reserved_timers_need_no_memory);
	tcase_add_test(test_case, test_several_due_at_once_fire_by_their_time);
	tcase_add_test(test_case, test_a_handler_clears_another_timer);
	tcase_add_test(test_case, test_never_does_not_fire);
	tcase_add_test(test_case, test_timerfd_follows_the_earliest);
	tcase_add_test(test_case, test_a_timer_set_to_now_waits_for_the_next_round);
	tcase_add_test(test_case, test_a_timer_set_by_another_thread_wakes_the_waiter);
	tcase_add_test(test_case, test_free_takes_null);
	tcase_add_test(test_case, test_descriptor_that_somebody_closes);
	return fixture_run("loop", test_case);
}
