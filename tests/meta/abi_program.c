/* SPDX-License-Identifier: MIT
 *
 * A program of another release: tests/meta/abi.py compiles it against saved headers, and against
 * headers whose structs have grown by a member (then GROWN is defined), and runs it with the
 * library of this tree. It is its own image and uses every struct that has a size. Those that
 * belong to the library (an outcome, what a hook is told) say by their size which members they
 * have.
 *
 *     abi_program           all new members zero: everything works
 *     abi_program STRUCT    the new member of that struct is set: refused, with a sentence
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/map.h>
#include <warmfork/task.h>

#define FAR 0x5a5a5a5a5a5a5a5au

#ifdef GROWN
#define SET(object, is)    ((object).grown[0] = (is) ? FAR : 0)
#define IS_CLEAR(object)   ((object).grown[0] == 0 && (object).grown[1] == 0)
#define MAKE_DIRTY(object) memset((object).grown, 0xff, sizeof(object).grown)
/* The library's header ends before what has grown, and the size says so. */
#define TELLS_ITS_SIZE(object)                                                                     \
	((object)->size <= (size_t)((const char *)(object)->grown - (const char *)(object)))
#else
#define SET(object, is)        ((void)(is))
#define IS_CLEAR(object)       1
#define MAKE_DIRTY(object)     ((void)0)
#define TELLS_ITS_SIZE(object) ((object)->size >= sizeof *(object))
#endif

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "abi_program.c:%d: not so: %s (%s)\n", __LINE__,     \
				      #condition, wf_last_error());                                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static const char *set = "";

static int is(const char *name) {
	return strcmp(set, name) == 0;
}

static void expect_refused(int r) {
	expect(r == -EINVAL);
	expect(strstr(wf_last_error(), "does not know"));
	exit(0);
}

static int shout(struct wf_call *call) {
	return wf_return(call, "HERE", 4);
}

static int preload(const struct wf_preload_info *info) {
	expect(TELLS_ITS_SIZE(info));
	expect(info->argument_size == 4 && memcmp(info->argument, "load", 4) == 0);
	expect(info->generation == 1);
	return 0;
}

static void expect_worker(const struct wf_worker_info *info) {
	expect(TELLS_ITS_SIZE(info));
	expect(info->slot == 0 && info->worker_id > 0 && info->generation == 1);
	expect(info->entropy && info->entropy_size == 32);
}

static int initialize(const struct wf_worker_info *info) {
	expect_worker(info);
	return 0;
}

static struct wf_module image = {
	.size = sizeof image,
	.preload = preload,
	.after_fork = expect_worker,
	.initialize = initialize,
	.functions = WF_FUNCTIONS({ "shout", shout }),
};

static void expect_shout(const struct wf_outcome *outcome) {
	expect(outcome && TELLS_ITS_SIZE(outcome));
	expect(outcome->kind == WF_RETURNED && outcome->returned.size == 4);
	expect(memcmp(outcome->returned.data, "HERE", 4) == 0);
}

static void look_inside(struct wf_executor *executor, struct wf_future *future) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	struct wf_image_facts facts = { .size = sizeof facts };
	struct wf_process process = { .size = sizeof process };

	MAKE_DIRTY(statistics);
	expect(wf_executor_statistics(executor, &statistics) == 0);
	expect(statistics.size == sizeof statistics && IS_CLEAR(statistics));
	expect(statistics.submitted == 1 && statistics.run_time.count <= 1);
	MAKE_DIRTY(facts);
	expect(wf_executor_image(executor, &facts) == 0);
	expect(facts.size == sizeof facts && IS_CLEAR(facts));
	expect(strcmp(facts.functions, "shout") == 0);
	wf_image_facts_clear(&facts);
	expect(wf_future_process(future, &process) == -EALREADY);
	process.size = 3;
	expect(wf_future_process(future, &process) == -EINVAL);
}

static struct wf_executor *open_pool(struct wf_context *context) {
	struct wf_executor_options options =
	    WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF, .helper = getenv("WARMFORK_HELPER"),
				.workers = 1, .preload_argument = "load",
				.preload_argument_size = 4);
	struct wf_executor *executor = NULL;
	int r;

	options.context = context;
	SET(options, is("options"));
	r = wf_executor_open(&options, &executor);
	if (is("options") || is("context"))
		expect_refused(r);
	expect(r == 0);
	return executor;
}

static void map_some(struct wf_executor *executor, const struct wf_task *task) {
	struct wf_map_options options = WF_MAP_OPTIONS(.as_completed = true);
	const struct wf_bytes inputs[] = { { "a", 1 }, { "b", 1 } };
	const struct wf_outcome *outcome;
	struct wf_map *map = NULL;
	int r;

	SET(options, is("map_options"));
	r = wf_map(executor, task, inputs, 2, &options, &map);
	if (is("map_options"))
		expect_refused(r);
	expect(r == 0);
	for (int i = 0; i < 2; i++) {
		expect(wf_map_next(map, WF_FOREVER, NULL, &outcome) == 0);
		expect_shout(outcome);
	}
	(void)wf_map_free(map);
}

static void run(void) {
	static const char *const variables[] = { "A=b", NULL };
	struct wf_context context = WF_CONTEXT(.environment = variables);
	struct wf_task task = WF_TASK(.function = "shout", .input = "x", .input_size = 1);
	struct wf_executor *executor;
	struct wf_future *future = NULL;
	int r;

	SET(context, is("context"));
	executor = open_pool(&context);
	SET(task, is("task"));
	r = wf_submit(executor, &task, &future);
	if (is("task"))
		expect_refused(r);
	expect(r == 0);
	expect_shout(wf_future_wait(future, WF_FOREVER));
	look_inside(executor, future);
	(void)wf_future_free(future);
	map_some(executor, &task);
	expect(wf_executor_close(executor, WF_CLOSE_FINISH) == 0);
	(void)wf_executor_free(executor);
}

int main(int argc, char **argv) {
	int r;

	/* in the zygote, argv[1] is blank */
	set = argc > 1 && argv[1][0] != ' ' ? argv[1] : "";
	SET(image, is("module"));
	r = wf_init(argc, argv, &image);
	if (is("module"))
		return r == -EINVAL ? 0 : 1;
	expect(r == 0);
	run();
	(void)puts("HERE");
	return 0;
}
