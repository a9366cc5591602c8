/* SPDX-License-Identifier: MIT
 *
 * Story: a keeper or a zygote says what it may not (tests/support/babbler.c). Opening fails, and
 * says why; nothing of it is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/support/more.h"
#include "tests/support/program.h"

static const char *const keepers[] = {
	"keeper of another version",
	"keeper without a pidfd",
	"keeper that never said it is ready",
	"keeper that is ready twice",
	"keeper that talks like a zygote",
	"keeper whose pidfd is none",
	"keeper whose pidfd is of another process",
	"keeper whose zygote has no pidfd",
};

START_TEST(test_keeper_that_babbles) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_executor *executor = NULL;
	int r;

	ck_assert_int_eq(setenv("BABBLE", keepers[_i], 1), 0);
	options.helper = getenv("BABBLER");
	r = wf_executor_open(&options, &executor);
	ck_assert_msg(r == -EIO, "%s: %d: %s", keepers[_i], r, wf_last_error());
	ck_assert_ptr_null(executor);
	ck_assert_msg(strstr(wf_last_error(), "which it must not") != NULL, "%s: %s", keepers[_i],
		      wf_last_error());
	/* an honest helper works as before */
	options.helper = getenv("WARMFORK_HELPER");
	executor = pool_open(&options);
	pool_check_works(executor);
	pool_close(executor);
	fixture_reap_adopted();
}
END_TEST

/* Programs that are no helper at all. */
static const char *const helpers[] = {
	"helper that is silent",
	"helper that is silent and starts another",
	"helper that leaves another behind",
	"helper that speaks another language",
};

START_TEST(test_helper_that_is_none) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_executor *executor = NULL;
	int r;

	ck_assert_int_eq(setenv("BABBLE", helpers[_i], 1), 0);
	options.helper = getenv("BABBLER");
	options.tuning.zygote_reply_ms = 1000;
	r = wf_executor_open(&options, &executor);
	ck_assert_msg(r == -EIO, "%s: %d: %s", helpers[_i], r, wf_last_error());
	ck_assert_ptr_null(executor);
	ck_assert_msg(strstr(wf_last_error(), options.helper) != NULL, "%s", wf_last_error());
	ck_assert_msg(strstr(wf_last_error(), "WARMFORK_HELPER") != NULL, "%s", wf_last_error());
	/* all that it has started ends as well: the last of them may be about to */
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

static const char *const zygotes[] = {
	"zygote of another version",
	"zygote that welcomes twice",
	"zygote without a welcome",
	"zygote that talks like a keeper",
};

START_TEST(test_zygote_that_babbles) {
	struct program host;

	ck_assert_int_eq(setenv("BABBLE", zygotes[_i], 1), 0);
	host = program_start(getenv("BABBLER"), (const char *const[]){ "host", NULL });
	ck_assert_msg(program_end(&host) == 0, "%s", zygotes[_i]);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("babble");

	tcase_add_loop_test(story, test_keeper_that_babbles, 0, (int)N_OF(keepers));
	tcase_add_loop_test(story, test_helper_that_is_none, 0, (int)N_OF(helpers));
	tcase_add_loop_test(story, test_zygote_that_babbles, 0, (int)N_OF(zygotes));
	return fixture_run("babble", story);
}
