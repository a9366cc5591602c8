/* SPDX-License-Identifier: MIT
 *
 * executor/future: threads that sleep on futures.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor/conclude.h"
#include "executor/engine.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

#define SLEEPERS (ENGINE_WAKES + 3)

struct sleeper {
	struct wf_future *future;
	struct waiter waiter;
	struct waiter_stake stake;
	pthread_t thread;
};

/* Moves the thread that sleeps on one futex to another, where no wake-up of the first reaches it.
 * Returns how many there were. */
static long move(_Atomic uint32_t *from, _Atomic uint32_t *to) {
	return syscall(SYS_futex, from, FUTEX_REQUEUE_PRIVATE, 0, 1L, to, 0);
}

static void await_asleep(struct sleeper *sleeper) {
	_Atomic uint32_t aside = 0;

	while (move(&sleeper->waiter.fired, &aside) == 0)
		(void)sched_yield();
	ck_assert_int_eq(move(&aside, &sleeper->waiter.fired), 1);
}

static void *sleep_in(void *context) {
	struct sleeper *sleeper = context;

	return waiter_sleep(&sleeper->waiter, NSEC_NEVER) ? context : NULL;
}

static void sleeper_start(struct fake *fake, struct sleeper *sleeper) {
	sleeper->future = fake_submit(fake);
	waiter_init(&sleeper->waiter, 1);
	sleeper->stake = (struct waiter_stake){ .waiter = &sleeper->waiter };
	list_append(&sleeper->future->waiters, &sleeper->stake.link);
	ck_assert_int_eq(pthread_create(&sleeper->thread, NULL, sleep_in, sleeper), 0);
	await_asleep(sleeper);
}

static void resolve(struct sleeper *sleeper) {
	future_unqueue(sleeper->future);
	conclude_cancelled(sleeper->future, "the test ends");
	future_resolve(sleeper->future);
}

static void sleeper_end(struct fake *fake, struct sleeper *sleeper) {
	void *woken;

	ck_assert_int_eq(pthread_join(sleeper->thread, &woken), 0);
	ck_assert_ptr_eq(woken, sleeper);
	fake_release(fake, sleeper->future);
}

START_TEST(test_sleeper_is_woken_once_the_lock_is_free) {
	struct fake *fake = fake_reused(1);
	_Atomic uint32_t aside = 0;
	struct sleeper sleeper;

	sleeper_start(fake, &sleeper);
	engine_lock(&fake->engine);
	resolve(&sleeper);
	ck_assert_uint_eq(atomic_load(&sleeper.waiter.fired), 1);
	ck_assert_int_eq(move(&sleeper.waiter.fired, &aside), 1);
	ck_assert_int_eq(move(&aside, &sleeper.waiter.fired), 1);
	engine_unlock(&fake->engine);
	sleeper_end(fake, &sleeper);
	fake_free(fake);
}
END_TEST

START_TEST(test_more_sleepers_than_are_kept_are_all_woken) {
	struct fake *fake = fake_reused(1);
	struct sleeper sleepers[SLEEPERS];

	for (int i = 0; i < SLEEPERS; i++)
		sleeper_start(fake, &sleepers[i]);
	engine_lock(&fake->engine);
	for (int i = 0; i < SLEEPERS; i++)
		resolve(&sleepers[i]);
	engine_unlock(&fake->engine);
	for (int i = 0; i < SLEEPERS; i++)
		sleeper_end(fake, &sleepers[i]);
	fake_free(fake);
}
END_TEST

START_TEST(test_wait_on_a_condition_wakes_sleepers_too) {
	struct fake *fake = fake_reused(1);
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct sleeper sleeper;

	sleeper_start(fake, &sleeper);
	engine_lock(&fake->engine);
	resolve(&sleeper);
	ck_assert_int_eq(engine_wait(&fake->engine, &never, 0), -ETIMEDOUT);
	sleeper_end(fake, &sleeper);
	engine_unlock(&fake->engine);
	fake_free(fake);
}
END_TEST

START_TEST(test_sleep_ends_at_its_time) {
	struct waiter waiter;

	waiter_init(&waiter, 1);
	ck_assert(!waiter_sleep(&waiter, 1));
	atomic_store(&waiter.fired, 1);
	ck_assert(waiter_sleep(&waiter, 1));
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("sleepers");

	tcase_add_test(test_case, test_sleeper_is_woken_once_the_lock_is_free);
	tcase_add_test(test_case, test_more_sleepers_than_are_kept_are_all_woken);
	tcase_add_test(test_case, test_wait_on_a_condition_wakes_sleepers_too);
	tcase_add_test(test_case, test_sleep_ends_at_its_time);
	return fixture_run("future", test_case);
}
