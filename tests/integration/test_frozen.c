/* SPDX-License-Identifier: MIT
 *
 * Story: the image is frozen, and nobody can tell: workers find the bytes of the preload, memory
 * grows and is given back as ever, core files are whole, generations do not touch each other; and
 * forks leave it frozen. The module is tests/support/toy_heavy.c.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/program.h"
#include "tests/support/toy_heavy.h"

#define COREDUMP_PRIVATE 4 /* core(5): file-backed private mappings */

static struct wf_executor_options heavy_options(int regime, const char *words) {
	struct wf_executor_options options = pool_options(regime);

	options.module = getenv("TOY_HEAVY");
	options.freeze = WF_FREEZE_ALWAYS;
	options.preload_argument = words;
	options.preload_argument_size = strlen(words);
	return options;
}

static struct wf_executor *heavy_open(int regime, const char *words) {
	const struct wf_executor_options options = heavy_options(regime, words);

	return pool_open(&options);
}

static struct heavy_answer heavy_read(const struct wf_outcome *outcome) {
	struct heavy_answer answer;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof answer);
	memcpy(&answer, outcome->returned.data, sizeof answer);
	return answer;
}

static struct heavy_answer heavy_ask(struct wf_executor *executor, const char *function) {
	struct heavy_answer answer;

	more_ask(executor, function, NULL, 0, &answer, sizeof answer);
	ck_assert_msg(answer.wrong == 0, "%s: toy_heavy.c:%d, and %d more", function,
		      (int)answer.line, (int)answer.wrong - 1);
	return answer;
}

/* Opens a pool and asks it several times. */
static void check_in_pool(int regime, const char *words, const char *function) {
	struct wf_executor *executor = heavy_open(regime, words);

	for (int i = 0; i < 4; i++)
		(void)heavy_ask(executor, function);
	pool_close(executor);
}

static void expect_said(const char *text, const char *what) {
	ck_assert_msg(strstr(text, what) != NULL, "\"%s\" is not in: %s", what, text);
}

static void facts_of(struct wf_executor *executor, struct wf_image_facts *facts) {
	*facts = (struct wf_image_facts){ .size = sizeof *facts };
	ck_assert_int_eq(wf_executor_image(executor, facts), 0);
	ck_assert_ptr_nonnull(facts->freeze_note);
}

static const char *const variants[] = { "", "threads", "handlers" };

/* --- the bytes ------------------------------------------------------------------------------- */

START_TEST(test_bytes_are_those_of_the_preload) {
	struct wf_executor *executor = heavy_open(_i % 2, variants[_i / 2]);

	for (int i = 0; i < 5; i++) {
		const struct heavy_answer answer = heavy_ask(executor, "hash");

		ck_assert_uint_ne(answer.at_preload, 0);
		ck_assert_uint_eq(answer.now, answer.at_preload);
		ck_assert_uint_ne(answer.image_file, 0);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_workers_do_not_see_what_others_write) {
	struct wf_executor *executor = heavy_open(FRESH, "");
	struct wf_future *writing[4];

	for (size_t i = 0; i < N_OF(writing); i++)
		writing[i] = pool_call(executor, "scribble", "");
	for (size_t i = 0; i < N_OF(writing); i++) {
		ck_assert_uint_eq(heavy_read(pool_wait(writing[i])).wrong, 0);
		wf_future_free(writing[i]);
		(void)heavy_ask(executor, "hash");
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_facts_of_a_frozen_image) {
	struct wf_executor *executor = heavy_open(REUSED, "");
	struct wf_image_facts facts;

	facts_of(executor, &facts);
	ck_assert(facts.frozen);
	ck_assert_str_eq(facts.freeze_note, "");
	ck_assert_uint_ge(facts.frozen_bytes, HEAVY_BYTES);
	ck_assert_uint_lt(facts.unfrozen_bytes, HEAVY_BYTES);
	ck_assert_uint_ge(facts.anonymous_bytes, HEAVY_BYTES);
	ck_assert_uint_gt(facts.frozen_mappings, 0);
	ck_assert_uint_gt(facts.freeze_ns, 0);
	ck_assert_uint_gt(facts.fork_ns, 0);
	ck_assert_uint_gt(facts.fork_unfrozen_ns, 0);
	ck_assert_uint_ge(facts.heap_bytes, HEAVY_BYTES / 4);
	ck_assert_uint_gt(facts.stack_bytes, 0);
	ck_assert_uint_gt(facts.page_table_bytes, 0);
	wf_image_facts_clear(&facts);
	ck_assert_uint_eq(pool_statistics(executor).freezes, 1);
	pool_close(executor);
}
END_TEST

/* --- memory goes on as memory does ----------------------------------------------------------- */

START_TEST(test_heap_and_mappings_grow) {
	check_in_pool(_i, "", "grow");
}
END_TEST

START_TEST(test_mremap_grows_a_preloaded_mapping_by_zeroes) {
	check_in_pool(_i, "", "grow_mapping");
}
END_TEST

/* Each task has a fresh worker, in which the blocks are as small as the preload has left them. */
START_TEST(test_realloc_grows_preloaded_blocks) {
	struct wf_executor *executor = heavy_open(FRESH, variants[_i]);

	for (int i = 0; i < 4; i++)
		(void)heavy_ask(executor, "grow_blocks");
	pool_close(executor);
}
END_TEST

START_TEST(test_old_and_new_blocks_are_churned) {
	struct wf_executor *executor = heavy_open(_i % 2, variants[_i / 2]);

	for (int i = 0; i < 2; i++)
		(void)heavy_ask(executor, "churn");
	pool_close(executor);
}
END_TEST

START_TEST(test_calloc_of_trimmed_memory_is_zero) {
	struct wf_executor *executor = heavy_open(FRESH, variants[_i]);

	for (int i = 0; i < 2; i++)
		(void)heavy_ask(executor, "zeroes");
	pool_close(executor);
}
END_TEST

START_TEST(test_dontneed_brings_the_images_bytes_back) {
	check_in_pool(_i, "", "give_back");
}
END_TEST

/* --- core files ------------------------------------------------------------------------------ */

START_TEST(test_coredump_filter_has_private_files) {
	struct wf_executor *executor = heavy_open(_i, "");
	const struct heavy_answer answer = heavy_ask(executor, "hash");

	ck_assert_uint_eq(answer.filter & COREDUMP_PRIVATE, COREDUMP_PRIVATE);
	pool_close(executor);
}
END_TEST

/* NULL, and why is said: the kernel does not write core files where a test can find them. */
static const char *core_path(void) {
	static char path[600];
	char pattern[256] = "";
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
	struct rlimit limit;
	glob_t found;

	if (file && fgets(pattern, sizeof pattern, file))
		pattern[strcspn(pattern, "\n%")] = '\0';
	if (file)
		fclose(file);
	if (pattern[0] == '\0' || pattern[0] == '|' || strchr(pattern, '/') ||
	    getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != RLIM_INFINITY) {
		program_skipped("core file",
				"core_pattern is no plain name, or RLIMIT_CORE is low");
		return NULL;
	}
	snprintf(path, sizeof path, "%s/%s*", fixture_scratch(), pattern);
	if (glob(path, 0, NULL, &found) == 0) {
		snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
		globfree(&found);
	}
	return path;
}

/* The bytes at `address` of the process, as the core file has them. */
static void core_read(const char *path, uint64_t address, char *text, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;
	Elf64_Phdr part;
	bool found = false;

	ck_assert_msg(fd >= 0, "no core file %s", path);
	ck_assert_int_eq(pread(fd, &head, sizeof head, 0), (ssize_t)sizeof head);
	ck_assert_int_eq(memcmp(head.e_ident, ELFMAG, SELFMAG), 0);
	ck_assert_int_eq(head.e_type, ET_CORE);
	for (unsigned i = 0; i < head.e_phnum && !found; i++) {
		const off_t place = (off_t)(head.e_phoff + i * sizeof part);

		ck_assert_int_eq(pread(fd, &part, sizeof part, place), (ssize_t)sizeof part);
		found = part.p_type == PT_LOAD && address >= part.p_vaddr &&
			address + size <= part.p_vaddr + part.p_filesz;
	}
	ck_assert_msg(found, "the core file does not have address %#llx",
		      (unsigned long long)address);
	ck_assert_int_eq(pread(fd, text, size, (off_t)(part.p_offset + address - part.p_vaddr)),
			 (ssize_t)size);
	close(fd);
}

/* A debugger finds the bytes of the image, too. */
static void check_by_gdb(const char *core, uint64_t address) {
	char command[64], said[4096];
	const char *arguments[] = {
		"gdb", "-nx", "-q", "-batch", "-ex", command, getenv("WARMFORK_HELPER"), core, NULL
	};
	posix_spawn_file_actions_t actions;
	struct program gdb = { .in = -1 };
	int out[2];

	if (access("/usr/bin/gdb", X_OK) < 0) {
		program_skipped("core file in gdb", "gdb is not installed");
		return;
	}
	snprintf(command, sizeof command, "x/s %#llx", (unsigned long long)address);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	ck_assert_int_eq(posix_spawn(&gdb.pid, "/usr/bin/gdb", &actions, NULL,
				     (char *const *)(const void *)arguments, environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	gdb.out = out[0];
	program_read(&gdb, said, sizeof said);
	ck_assert_int_eq(program_end(&gdb), 0);
	expect_said(said, HEAVY_MARKER);
}

START_TEST(test_core_file_holds_the_heap) {
	const struct wf_rlimit limit = { RLIMIT_CORE, UINT64_MAX };
	const struct wf_context context =
	    WF_CONTEXT(.directory = fixture_scratch(), .rlimits = &limit, .n_rlimits = 1);
	const struct wf_task task = WF_TASK(.function = "abort", .context = &context);
	char text[sizeof HEAVY_MARKER];

	if (core_path() == NULL)
		return;
	struct wf_executor *executor = heavy_open(_i, "");
	const uint64_t address = heavy_ask(executor, "hash").marker;
	struct wf_future *future = pool_submit(executor, &task);
	const struct wf_outcome *outcome = pool_wait(future);
	expect_signalled(outcome, SIGABRT);
	ck_assert(outcome->signalled.core);
	wf_future_free(future);
	pool_close(executor);
	core_read(core_path(), address, text, sizeof text);
	ck_assert_str_eq(text, HEAVY_MARKER);
	check_by_gdb(core_path(), address);
}
END_TEST

/* --- generations ----------------------------------------------------------------------------- */

/* A task of the first image runs while others are frozen beside it, and sees its own to the end. */
START_TEST(test_reload_leaves_the_living_image) {
	struct wf_executor *executor = heavy_open(_i, "");
	const struct heavy_answer first = heavy_ask(executor, "hash");
	struct heavy_answer answer;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_call(&cord, executor, "hold", "");
	cord_expect(&cord, "held");
	for (uint64_t generation = 2; generation < 4; generation++) {
		ck_assert_int_eq(wf_executor_reload(executor), 0);
		answer = heavy_ask(executor, "hash");
		ck_assert_uint_eq(answer.generation, generation);
		ck_assert_uint_ne(answer.now, first.now);
		ck_assert_uint_ne(answer.image_file, first.image_file);
	}
	cord_release(&cord);
	answer = heavy_read(pool_wait(future));
	ck_assert_uint_eq(answer.wrong, 0);
	ck_assert_uint_eq(answer.generation, 1);
	ck_assert_uint_eq(answer.now, first.now);
	ck_assert_uint_eq(answer.image_file, first.image_file);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- a host with threads --------------------------------------------------------------------- */

#define N_SUBMITTERS  4
#define N_SUBMISSIONS 15

struct submitter {
	struct wf_executor *executor;
	int n_right;
	pthread_t thread;
};

static void *submit_many(void *argument) {
	struct submitter *submitter = argument;

	for (int i = 0; i < N_SUBMISSIONS; i++) {
		struct wf_future *future = NULL;
		const struct wf_outcome *outcome;
		const struct heavy_answer *answer;

		if (wf_submit(submitter->executor, &WF_TASK(.function = "hash"), &future) < 0)
			continue;
		outcome = wf_future_wait(future, FIXTURE_CAP_MS);
		answer = outcome && outcome->kind == WF_RETURNED ? outcome->returned.data : NULL;
		submitter->n_right +=
		    answer && answer->wrong == 0 && answer->now == answer->at_preload;
		wf_future_free(future);
	}
	return NULL;
}

START_TEST(test_host_with_threads_reloads) {
	struct submitter submitters[N_SUBMITTERS];
	struct wf_executor *executor = heavy_open(_i, "threads");

	for (size_t i = 0; i < N_SUBMITTERS; i++) {
		submitters[i] = (struct submitter){ .executor = executor };
		ck_assert_int_eq(
		    pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(wf_executor_reload(executor), 0);
	for (size_t i = 0; i < N_SUBMITTERS; i++)
		ck_assert_int_eq(pthread_join(submitters[i].thread, NULL), 0);
	for (size_t i = 0; i < N_SUBMITTERS; i++)
		ck_assert_int_eq(submitters[i].n_right, N_SUBMISSIONS);
	pool_close(executor);
}
END_TEST

/* --- whether it is frozen -------------------------------------------------------------------- */

static void check_whether(enum wf_freeze freeze, const char *words, bool frozen, const char *note) {
	struct wf_executor_options options = heavy_options(REUSED, words);
	struct wf_image_facts facts;

	options.freeze = freeze;
	if (strstr(words, "running"))
		options.audit_waive = WF_AUDIT_THREADS;
	struct wf_executor *executor = pool_open(&options);
	facts_of(executor, &facts);
	ck_assert_msg(facts.frozen == frozen, "frozen: %d; note: %s", facts.frozen,
		      facts.freeze_note);
	expect_said(facts.freeze_note, note);
	if (!frozen) {
		ck_assert_str_ne(facts.freeze_note, "");
		ck_assert_uint_eq(facts.frozen_bytes, 0);
		ck_assert_uint_eq(facts.frozen_mappings, 0);
	}
	wf_image_facts_clear(&facts);
	const struct heavy_answer answer = heavy_ask(executor, "hash");
	ck_assert_int_eq(answer.image_file != 0, frozen);
	ck_assert_uint_eq(pool_statistics(executor).freezes, frozen);
	ck_assert_uint_eq(pool_statistics(executor).frozen_dirtied, 0);
	pool_close(executor);
}

START_TEST(test_auto_freezes_a_large_image) {
	check_whether(WF_FREEZE_AUTO, "", true, "");
}
END_TEST

START_TEST(test_auto_leaves_a_little_image) {
	check_whether(WF_FREEZE_AUTO, "little", false, "freezing pays from");
}
END_TEST

START_TEST(test_always_freezes_a_little_image) {
	check_whether(WF_FREEZE_ALWAYS, "little", true, "");
}
END_TEST

START_TEST(test_never_is_obeyed) {
	check_whether(WF_FREEZE_NEVER, "", false, "WF_FREEZE_NEVER");
}
END_TEST

START_TEST(test_auto_serves_beside_a_running_thread) {
	check_whether(WF_FREEZE_AUTO, "running", false, "threads run");
}
END_TEST

static void check_refused(const char *words, unsigned waive, const char *reason) {
	struct wf_executor_options options = heavy_options(REUSED, words);
	struct wf_executor *executor = NULL;

	options.audit_waive = waive;
	options.name = "the heavy one";
	ck_assert_int_eq(wf_executor_open(&options, &executor), -ENOEXEC);
	ck_assert_ptr_null(executor);
	expect_said(wf_last_error(), "frozen");
	expect_said(wf_last_error(), reason);
	expect_said(wf_last_error(), "the heavy one");
}

START_TEST(test_always_is_refused_beside_a_running_thread) {
	check_refused("running", WF_AUDIT_THREADS, "threads run");
}
END_TEST

/* A limit that the host had set for itself, above all that the pool writes. */
START_TEST(test_soft_file_size_limit_of_the_host) {
	struct rlimit limit, low;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	if (limit.rlim_max != RLIM_INFINITY) {
		program_skipped("soft RLIMIT_FSIZE", "its hard limit is low");
		return;
	}
	low = (struct rlimit){ (rlim_t)1 << 30, limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	check_whether(_i == 0 ? WF_FREEZE_ALWAYS : WF_FREEZE_AUTO, "", true, "");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
END_TEST

/* A hard one is named, and where it may be left unfrozen, it is. */
START_TEST(test_hard_file_size_limit_of_the_host) {
	const struct rlimit low = { (rlim_t)1 << 30, (rlim_t)1 << 30 };

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	check_refused("", 0, "RLIMIT_FSIZE");
	check_whether(WF_FREEZE_AUTO, "", false, "RLIMIT_FSIZE");
}
END_TEST

/* --- that it stays so ------------------------------------------------------------------------ */

/* How much of the image its zygote has written to: bytes, seen from outside. The smaps' "dirty"
 * would count pages that were only read: those of a memfd are. */
static size_t zygote_dirt(pid_t zygote) {
	char path[64], line[512];
	bool inside = false;
	size_t total = 0, kib, n_mappings = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/smaps", (int)zygote);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file)) {
		if (strspn(line, "0123456789abcdef") >= 8 && strchr(line, '-')) {
			inside = strstr(line, "/memfd:warmfork-image") != NULL;
			n_mappings += inside;
		} else if (inside && sscanf(line, "Anonymous: %zu", &kib) == 1) {
			total += kib << 10;
		}
	}
	fclose(file);
	ck_assert_uint_gt(n_mappings, 0);
	return total;
}

static void run_many(struct wf_executor *executor, size_t n) {
	static const struct wf_bytes nothing[10000];
	const struct wf_map_options options = WF_MAP_OPTIONS(.as_completed = true, .window = 256);
	const struct wf_task task = WF_TASK(.function = "nothing");
	const struct wf_outcome *outcome;
	struct wf_map *map;
	int r;

	ck_assert_uint_le(n, N_OF(nothing));
	ck_assert_int_eq(wf_map(executor, &task, nothing, n, &options, &map), 0);
	while ((r = wf_map_next(map, FIXTURE_CAP_MS, NULL, &outcome)) == 0) {
		expect_kind(outcome, WF_RETURNED);
		n--;
	}
	ck_assert_int_eq(r, -ENODATA);
	ck_assert_uint_eq(n, 0);
	wf_map_free(map);
}

START_TEST(test_ten_thousand_forks_dirty_nothing) {
	struct wf_executor_options options = heavy_options(FRESH, variants[_i]);
	struct wf_statistics statistics;
	struct wf_image_facts facts;

	options.workers = 8;
	options.spares = 64;
	struct wf_executor *executor = pool_open(&options);
	run_many(executor, 10000);
	statistics = pool_statistics(executor);
	ck_assert_uint_ge(statistics.forks, 10000);
	ck_assert_uint_eq(statistics.freezes, 1);
	ck_assert_uint_eq(statistics.frozen_dirtied, 0);
	ck_assert_uint_eq(statistics.zygote_starts, 1);
	ck_assert_uint_eq(zygote_dirt(statistics.zygote_pid), 0);
	facts_of(executor, &facts);
	if (strcmp(variants[_i], "handlers") == 0)
		ck_assert_uint_ge(facts.frozen_holes, 3);
	wf_image_facts_clear(&facts);
	(void)heavy_ask(executor, "hash");
	pool_close(executor);
}
END_TEST

static bool was_frozen_again(const struct wf_statistics *statistics) {
	return statistics->freezes > 1;
}

static size_t text_read(const char *path, char *text, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	ck_assert_int_ge(n, 0);
	close(fd);
	text[n] = '\0';
	return (size_t)n;
}

/* What the zygote logs goes to the stderr that the host had. */
static int stderr_into(const char *path) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	return saved;
}

START_TEST(test_handler_that_dirties_more_and_more) {
	static char text[1 << 16];
	char path[512];
	int saved;

	snprintf(path, sizeof path, "%s/log", fixture_scratch());
	saved = stderr_into(path);
	ck_assert_int_eq(setenv("WF_LOG", "warning", 1), 0);
	struct wf_executor *executor = heavy_open(FRESH, "spreading");
	run_many(executor, 3000);
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	pool_await(executor, was_frozen_again);
	ck_assert_uint_eq(pool_statistics(executor).zygote_starts, 1);
	(void)heavy_ask(executor, "hash");
	pool_close(executor);
	ck_assert_uint_gt(text_read(path, text, sizeof text), 0);
	expect_said(text, "frozen again");
	expect_said(text, "pthread_atfork");
}
END_TEST

/* More than can be left out: that is said, and it serves all the same if it may. */
START_TEST(test_handler_that_dirties_too_much) {
	struct wf_executor_options options = heavy_options(FRESH, "flooding");
	struct wf_image_facts facts;

	check_refused("flooding", 0, "pthread_atfork");
	options.freeze = WF_FREEZE_AUTO;
	struct wf_executor *executor = pool_open(&options);
	facts_of(executor, &facts);
	expect_said(facts.freeze_note, "pthread_atfork");
	wf_image_facts_clear(&facts);
	run_many(executor, 1000);
	ck_assert_uint_eq(pool_statistics(executor).zygote_starts, 1);
	(void)heavy_ask(executor, "hash");
	pool_close(executor);
}
END_TEST

/* --- another allocator ----------------------------------------------------------------------- */

static const char *jemalloc_path(void) {
	static const char *const places[] = {
		"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
		"/usr/lib64/libjemalloc.so.2",
		"/usr/lib/libjemalloc.so.2",
	};
	const char *path = getenv("WF_TEST_JEMALLOC");

	for (size_t i = 0; path == NULL && i < N_OF(places); i++)
		if (access(places[i], R_OK) == 0)
			path = places[i];
	return path;
}

/* It gives pages back as soon as they are free, and takes zeroes from the kernel where it likes,
 * unless it is told not to. */
static const char *const jemalloc_habits[] = {
	"dirty_decay_ms:0,muzzy_decay_ms:0",
	"dirty_decay_ms:0,muzzy_decay_ms:0,thp:always",
	"dirty_decay_ms:-1,muzzy_decay_ms:-1",
};

START_TEST(test_jemalloc_finds_zeroes) {
	struct wf_executor_options options = heavy_options(FRESH, variants[_i % 2]);
	const char *path = jemalloc_path();
	struct wf_image_facts facts;

	if (path == NULL) {
		program_skipped("jemalloc", "libjemalloc.so.2 is not installed");
		return;
	}
	options.freeze = WF_FREEZE_AUTO;
	ck_assert_int_eq(setenv("LD_PRELOAD", path, 1), 0);
	ck_assert_int_eq(setenv("MALLOC_CONF", jemalloc_habits[_i / 2], 1), 0);
	struct wf_executor *executor = pool_open(&options);
	ck_assert_int_eq(unsetenv("LD_PRELOAD"), 0);
	facts_of(executor, &facts);
	if (!facts.frozen)
		expect_said(facts.freeze_note, "jemalloc");
	wf_image_facts_clear(&facts);
	(void)heavy_ask(executor, "hash");
	(void)heavy_ask(executor, "churn");
	(void)heavy_ask(executor, "zeroes");
	(void)heavy_ask(executor, "grow_blocks");
	pool_close(executor);
}
END_TEST

/* --- under a sanitizer ----------------------------------------------------------------------- */

START_TEST(test_sanitizer_is_named) {
	check_refused("", 0, "sanitizer");
	check_whether(WF_FREEZE_AUTO, "", false, "sanitizer");
}
END_TEST

static void add_memory(TCase *test_case) {
	tcase_add_loop_test(test_case, test_bytes_are_those_of_the_preload, 0,
			    2 * (int)N_OF(variants));
	tcase_add_test(test_case, test_workers_do_not_see_what_others_write);
	tcase_add_test(test_case, test_facts_of_a_frozen_image);
	add_for_both(test_case, test_heap_and_mappings_grow);
	add_for_both(test_case, test_mremap_grows_a_preloaded_mapping_by_zeroes);
	tcase_add_loop_test(test_case, test_realloc_grows_preloaded_blocks, 0, (int)N_OF(variants));
	tcase_add_loop_test(test_case, test_old_and_new_blocks_are_churned, 0,
			    2 * (int)N_OF(variants));
	tcase_add_loop_test(test_case, test_calloc_of_trimmed_memory_is_zero, 0,
			    (int)N_OF(variants));
	add_for_both(test_case, test_dontneed_brings_the_images_bytes_back);
	add_for_both(test_case, test_coredump_filter_has_private_files);
	add_for_both(test_case, test_core_file_holds_the_heap);
}

static void add_wishes(TCase *test_case) {
	tcase_add_test(test_case, test_auto_freezes_a_large_image);
	tcase_add_test(test_case, test_auto_leaves_a_little_image);
	tcase_add_test(test_case, test_always_freezes_a_little_image);
	tcase_add_test(test_case, test_never_is_obeyed);
	tcase_add_test(test_case, test_auto_serves_beside_a_running_thread);
	tcase_add_test(test_case, test_always_is_refused_beside_a_running_thread);
	tcase_add_loop_test(test_case, test_soft_file_size_limit_of_the_host, 0, 2);
	tcase_add_test(test_case, test_hard_file_size_limit_of_the_host);
}

int main(void) {
	TCase *test_case = fixture_case("frozen");

	/* ten thousand forks take ten seconds, or, in a virtual machine that shares its CPUs,
	 * minutes */
	tcase_set_timeout(test_case, 400);
	if (POOL_SANITIZED) {
		tcase_add_test(test_case, test_sanitizer_is_named);
		return fixture_run("frozen", test_case);
	}
	add_memory(test_case);
	add_for_both(test_case, test_reload_leaves_the_living_image);
	add_for_both(test_case, test_host_with_threads_reloads);
	add_wishes(test_case);
	tcase_add_loop_test(test_case, test_ten_thousand_forks_dirty_nothing, 0,
			    (int)N_OF(variants));
	tcase_add_test(test_case, test_handler_that_dirties_more_and_more);
	tcase_add_test(test_case, test_handler_that_dirties_too_much);
	tcase_add_loop_test(test_case, test_jemalloc_finds_zeroes, 0,
			    2 * (int)N_OF(jemalloc_habits));
	return fixture_run("frozen", test_case);
}
