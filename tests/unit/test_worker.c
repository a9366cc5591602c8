/* SPDX-License-Identifier: MIT
 *
 * executor/worker: every pair of a state and an event.
 */
#include "executor/worker.h"

#include <string.h>

#include "tests/support/fixture.h"

/* A letter for each state, in the order of enum worker_state; '.' stays, '!' is a breach. */
static const char letters[] = "AUSRTLDEG";

static const struct {
	enum worker_event event;
	const char *next; /* for each state */
} rows[] = {
	{ WORKER_SPAWNED, "SL......." },        { WORKER_NOT_SPAWNED, "GG......." },
	{ WORKER_SAID_READY, "!!R!!.!.." },     { WORKER_SAID_UNABLE, "!!L!!.!.." },
	{ WORKER_SAID_LEAVING, "!!LLL.!.." },   { WORKER_DISMISSED, "U.LLL...." },
	{ WORKER_DISMISSED_BUSY, "...T....." }, { WORKER_EMPTIED, "....L...." },
	{ WORKER_LEFT_STOPPED, "...DD...." },   { WORKER_EXITED, "EEEEEEE.." },
	{ WORKER_SWEPT, ".......G." },
};

static int state_of(char letter) {
	if (letter == '.')
		return WORKER_STAYS;
	if (letter == '!')
		return WORKER_BREACHES;
	return (int)(strchr(letters, letter) - letters);
}

START_TEST(test_every_pair) {
	ck_assert_uint_eq(sizeof rows / sizeof rows[0], WORKER_EVENTS);
	for (size_t i = 0; i < WORKER_EVENTS; i++) {
		ck_assert_uint_eq(strlen(rows[i].next), WORKER_STATES);
		for (int state = 0; state < WORKER_STATES; state++)
			ck_assert_msg(worker_next((enum worker_state)state, rows[i].event) ==
					  state_of(rows[i].next[state]),
				      "state %c, event %d", letters[state], (int)rows[i].event);
	}
}
END_TEST

/* Once it has left a state, a worker never comes back to it: so every worker is freed one day. */
START_TEST(test_no_state_comes_back) {
	for (int event = 0; event < WORKER_EVENTS; event++)
		for (int state = 0; state < WORKER_STATES; state++) {
			int next = worker_next((enum worker_state)state, (enum worker_event)event);

			ck_assert(next < 0 || next > state);
		}
}
END_TEST

/* An event that the executor causes is never a breach by the worker. */
START_TEST(test_only_a_peer_breaches) {
	for (int event = WORKER_DISMISSED; event < WORKER_EVENTS; event++)
		for (int state = 0; state < WORKER_STATES; state++)
			ck_assert_int_ne(
			    worker_next((enum worker_state)state, (enum worker_event)event),
			    WORKER_BREACHES);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("transitions");

	tcase_add_test(test_case, test_every_pair);
	tcase_add_test(test_case, test_no_state_comes_back);
	tcase_add_test(test_case, test_only_a_peer_breaches);
	return fixture_run("worker", test_case);
}
