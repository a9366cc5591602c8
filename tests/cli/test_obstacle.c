/* SPDX-License-Identifier: MIT
 *
 * Which obstacle is the biggest: each of them when it is, and none when there is none.
 */
#include "cli/image/obstacle.h"

#include <string.h>

#include "tests/support/fixture.h"

#define EMPTY_NS ((uint64_t)60000)
#define MIB      ((uint64_t)1 << 20)

/* An image that costs nothing to speak of, frozen. */
static struct wf_image_facts light(void) {
	return (struct wf_image_facts){
		.size = sizeof(struct wf_image_facts),
		.mappings = 48,
		.descriptors = 6,
		.threads = 1,
		.unfrozen_bytes = 240 << 10,
		.frozen = true,
		.frozen_bytes = 512 * MIB,
		.freeze_note = (char[]){ "" },
		.fork_ns = 70000,
		.fork_unfrozen_ns = 6000000,
	};
}

/* The same image, but nothing of it was frozen. */
static struct wf_image_facts unfrozen(char *note) {
	struct wf_image_facts facts = light();

	facts.frozen = false;
	facts.unfrozen_bytes = 512 * MIB;
	facts.frozen_bytes = 0;
	facts.freeze_note = note;
	facts.fork_ns = facts.fork_unfrozen_ns;
	return facts;
}

static struct obstacle find(const struct wf_image_facts *facts, uint64_t dirtied_pages) {
	const struct obstacle_context context = {
		.dirtied_pages = dirtied_pages,
		.empty_ns = EMPTY_NS,
	};
	struct obstacle obstacle;

	obstacle_find(facts, &context, &obstacle);
	return obstacle;
}

#define expect(obstacle, expected)                                                                 \
	ck_assert_str_eq(obstacle_name((obstacle).kind), obstacle_name(expected))

#define expect_says(text, part)                                                                    \
	ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in: %s", part, text)

START_TEST(test_none) {
	const struct wf_image_facts facts = light();
	struct obstacle obstacle = find(&facts, 0);

	expect(obstacle, OBSTACLE_NONE);
	ck_assert_str_eq(obstacle.what,
			 "none: a fork takes 70 us, and one of an empty process about as much");
	ck_assert_str_eq(obstacle.remedy, "");
	ck_assert_uint_eq(obstacle.cost_ns, 0);
}
END_TEST

/* The fork costs more than it should, but too little more to name a cause. */
START_TEST(test_none_that_stands_out) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.fork_ns = 120000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_NONE);
	expect_says(obstacle.what, "120 us");
	expect_says(obstacle.what, "60 us");
}
END_TEST

START_TEST(test_memory_that_was_not_to_be_frozen) {
	char note[] = "options.freeze is WF_FREEZE_NEVER";
	const struct wf_image_facts facts = unfrozen(note);
	const struct obstacle_context context = { .wish = WF_FREEZE_NEVER, .empty_ns = EMPTY_NS };
	struct obstacle obstacle;

	obstacle_find(&facts, &context, &obstacle);
	expect(obstacle, OBSTACLE_MEMORY);
	expect_says(obstacle.what, "512.0 MiB");
	expect_says(obstacle.remedy, "WF_FREEZE_AUTO");
}
END_TEST

/* 512 MiB at 12 us are more than the 5.94 ms that were measured beyond an empty process. */
START_TEST(test_the_measured_fork_bounds_the_model) {
	char note[] = "an io_uring is open";
	const struct wf_image_facts facts = unfrozen(note);
	struct obstacle obstacle = find(&facts, 0);

	expect(obstacle, OBSTACLE_MEMORY);
	ck_assert_uint_eq(obstacle.cost_ns, facts.fork_ns - EMPTY_NS);
	expect_says(obstacle.remedy, note);
}
END_TEST

/* Huge pages: much memory, and yet a fast fork. */
START_TEST(test_memory_that_costs_nothing) {
	char note[] = "an io_uring is open";
	struct wf_image_facts facts = unfrozen(note);

	facts.fork_ns = 75000;
	expect(find(&facts, 0), OBSTACLE_NONE);
}
END_TEST

START_TEST(test_memory_that_is_little) {
	char note[] = "it is too little";
	struct wf_image_facts facts = unfrozen(note);
	struct obstacle obstacle;

	facts.unfrozen_bytes = 3 * MIB;
	facts.fork_ns = 110000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_MEMORY);
	expect_says(obstacle.remedy, note);
	expect_says(obstacle.remedy, "WF_FREEZE_ALWAYS");
}
END_TEST

START_TEST(test_memory_that_cannot_be_frozen) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.unfrozen_bytes = 100 * MIB;
	facts.fork_ns = 1300000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_MEMORY);
	ck_assert_uint_eq(obstacle.cost_ns, 1200000);
	expect_says(obstacle.remedy, "MADV_DONTFORK");
}
END_TEST

START_TEST(test_threads_that_prevent_it) {
	char note[] = "threads run";
	struct wf_image_facts facts = unfrozen(note);
	struct obstacle obstacle;

	facts.threads = 3;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_THREADS);
	expect_says(obstacle.what, "3 threads");
	expect_says(obstacle.remedy, "initialize");
}
END_TEST

START_TEST(test_mappings) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.mappings = 1050;
	facts.fork_ns = 450000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_MAPPINGS);
	/* 60 of them may have a private page: there are 240 KiB of such pages */
	ck_assert_uint_eq(obstacle.cost_ns, 1000 * 350 + 60 * 650);
}
END_TEST

START_TEST(test_descriptors) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.descriptors = 10064;
	facts.fork_ns = 300000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_DESCRIPTORS);
	ck_assert_uint_eq(obstacle.cost_ns, 200000);
}
END_TEST

START_TEST(test_holes) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.frozen_holes = 40;
	facts.fork_ns = 190000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_HOLES);
	expect_says(obstacle.what, "40 pages");
	expect_says(obstacle.remedy, "pthread_atfork()");
}
END_TEST

START_TEST(test_too_many_holes) {
	char note[] = "fork writes to more than 64 pages of the image";
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.frozen = false;
	facts.freeze_note = note;
	facts.fork_ns = 600000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_HOLES);
	ck_assert_str_eq(obstacle.remedy, note);
}
END_TEST

START_TEST(test_dirtied) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.fork_ns = 700000;
	obstacle = find(&facts, 256);
	expect(obstacle, OBSTACLE_DIRTIED);
	ck_assert_uint_eq(obstacle.cost_ns, 640000);
}
END_TEST

START_TEST(test_what_nothing_explains) {
	struct wf_image_facts facts = light();
	struct obstacle obstacle;

	facts.fork_ns = 2000000;
	obstacle = find(&facts, 0);
	expect(obstacle, OBSTACLE_OTHER);
	expect_says(obstacle.what, "a fork takes 2000 us");
	expect_says(obstacle.remedy, "pthread_atfork()");
}
END_TEST

/* Forks wait for a CPU, and so did those of the image. */
START_TEST(test_a_busy_machine) {
	struct wf_image_facts facts = light();
	const struct obstacle_context context = { .empty_ns = EMPTY_NS, .noise_ns = 3900000 };
	struct obstacle obstacle;

	facts.fork_ns = 4000000;
	obstacle_find(&facts, &context, &obstacle);
	expect(obstacle, OBSTACLE_NONE);
}
END_TEST

START_TEST(test_the_biggest_of_several) {
	struct wf_image_facts facts = light();

	facts.mappings = 450;     /* 140 us and 39 us */
	facts.descriptors = 5064; /* 100 us */
	facts.frozen_holes = 30;  /* 90 us */
	facts.fork_ns = 430000;
	expect(find(&facts, 0), OBSTACLE_MAPPINGS);
	facts.frozen_holes = 64; /* 192 us */
	facts.fork_ns = 530000;
	expect(find(&facts, 0), OBSTACLE_HOLES);
}
END_TEST

/* A machine on which an empty fork takes three times as long. */
START_TEST(test_the_model_is_scaled) {
	struct wf_image_facts facts = light();
	const struct obstacle_context context = { .empty_ns = 3 * EMPTY_NS };
	struct obstacle obstacle;

	facts.descriptors = 10064;
	facts.fork_ns = 800000;
	obstacle_find(&facts, &context, &obstacle);
	expect(obstacle, OBSTACLE_DESCRIPTORS);
	ck_assert_uint_eq(obstacle.cost_ns, 600000);
}
END_TEST

/* No fork succeeded, here or there: the model alone. */
START_TEST(test_nothing_measured) {
	struct wf_image_facts facts = light();
	const struct obstacle_context context = { .empty_ns = 0 };
	struct obstacle obstacle;

	facts.fork_ns = 0;
	obstacle_find(&facts, &context, &obstacle);
	expect(obstacle, OBSTACLE_NONE);
	facts.frozen_holes = 40;
	obstacle_find(&facts, &context, &obstacle);
	expect(obstacle, OBSTACLE_HOLES);
	ck_assert_uint_eq(obstacle.cost_ns, 120000);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("biggest");

	tcase_add_test(test_case, test_none);
	tcase_add_test(test_case, test_none_that_stands_out);
	tcase_add_test(test_case, test_memory_that_was_not_to_be_frozen);
	tcase_add_test(test_case, test_the_measured_fork_bounds_the_model);
	tcase_add_test(test_case, test_memory_that_costs_nothing);
	tcase_add_test(test_case, test_memory_that_is_little);
	tcase_add_test(test_case, test_memory_that_cannot_be_frozen);
	tcase_add_test(test_case, test_threads_that_prevent_it);
	tcase_add_test(test_case, test_mappings);
	tcase_add_test(test_case, test_descriptors);
	tcase_add_test(test_case, test_holes);
	tcase_add_test(test_case, test_too_many_holes);
	tcase_add_test(test_case, test_dirtied);
	tcase_add_test(test_case, test_what_nothing_explains);
	tcase_add_test(test_case, test_a_busy_machine);
	tcase_add_test(test_case, test_the_biggest_of_several);
	tcase_add_test(test_case, test_the_model_is_scaled);
	tcase_add_test(test_case, test_nothing_measured);
	return fixture_run("obstacle", test_case);
}
