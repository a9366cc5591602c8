/* SPDX-License-Identifier: MIT
 *
 * The heavy toy; toy_heavy.h says what it does.
 */
#include "tests/support/toy_heavy.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <warmfork/task.h>

#include "tests/support/pattern.h"

#define PAGE          ((size_t)4096)
#define MEBIBYTE      ((size_t)1 << 20)
#define N_SMALL       8000
#define N_LARGE       8
#define N_THREADS     8
#define N_OF_THREAD   500
#define N_BLOCKS      (N_SMALL + N_LARGE + N_THREADS * N_OF_THREAD)
#define N_OPERATIONS  100000
#define MAPPED_BYTES  (8 * MEBIBYTE)
#define GROWING_BYTES (2 * MEBIBYTE)

struct block {
	unsigned char *memory;
	size_t size;
	uint64_t seed;
};

static unsigned char data_section[MEBIBYTE] __attribute__((aligned(8))) = { 1 };
static unsigned char bss_section[2 * MEBIBYTE] __attribute__((aligned(8)));
static struct block blocks[N_BLOCKS];
static unsigned char *mapped, *constant, *growing, *spread;
static char *marker;
static uint64_t at_preload, generation;
static size_t n_spread;

/* --- what a task finds ----------------------------------------------------------------------- */

static struct heavy_answer answer;

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition) && answer.wrong++ == 0)                                           \
			answer.line = __LINE__;                                                    \
	} while (0)

static uint64_t hash_all(void) {
	uint64_t hash = pattern_hash(data_section, sizeof data_section);

	hash = pattern_hash_on(hash, bss_section, sizeof bss_section);
	for (size_t i = 0; i < N_BLOCKS; i++)
		hash = pattern_hash_on(hash, blocks[i].memory, blocks[i].size);
	if (mapped) {
		hash = pattern_hash_on(hash, mapped, MAPPED_BYTES);
		hash = pattern_hash_on(hash, constant, MEBIBYTE);
		hash = pattern_hash_on(hash, growing, GROWING_BYTES);
	}
	return hash;
}

static uint64_t coredump_filter(void) {
	FILE *file = fopen("/proc/self/coredump_filter", "re");
	unsigned long value = 0;

	if (file && fscanf(file, "%lx", &value) != 1)
		value = 0;
	if (file)
		fclose(file);
	return value;
}

static uint64_t image_file(void) {
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long inode = 0;
	char line[512];

	while (file && inode == 0 && fgets(line, sizeof line, file))
		if (strstr(line, "/memfd:warmfork-image"))
			(void)sscanf(line, "%*s %*s %*s %*s %lu", &inode);
	if (file)
		fclose(file);
	return inode;
}

static int answer_now(struct wf_call *call) {
	answer.at_preload = at_preload;
	answer.generation = generation;
	answer.marker = (uintptr_t)marker;
	answer.filter = coredump_filter();
	answer.image_file = image_file();
	return wf_return(call, &answer, sizeof answer);
}

static void answer_begin(void) {
	answer = (struct heavy_answer){ .wrong = 0 };
}

/* --- building -------------------------------------------------------------------------------- */

static bool block_make(struct block *block, size_t size, uint64_t seed) {
	block->memory = malloc(size);
	block->size = size;
	block->seed = seed;
	if (!block->memory)
		return false;
	pattern_fill(block->memory, size, seed);
	return true;
}

static void *build_in_thread(void *argument) {
	struct block *own = argument;

	for (size_t i = 0; i < N_OF_THREAD; i++)
		if (!block_make(&own[i], 512 + i % 5 * 512, generation * 7 + i))
			return own;
	return NULL;
}

static bool build_by_threads(bool threads) {
	struct block *first = blocks + N_SMALL + N_LARGE;
	pthread_t ids[N_THREADS];
	bool done = true;

	for (size_t i = 0; i < N_THREADS && !threads; i++)
		done &= build_in_thread(first + i * N_OF_THREAD) == NULL;
	for (size_t i = 0; i < N_THREADS && threads; i++)
		if (pthread_create(&ids[i], NULL, build_in_thread, first + i * N_OF_THREAD) != 0)
			return false;
	for (size_t i = 0; i < N_THREADS && threads; i++) {
		void *failed;

		done &= pthread_join(ids[i], &failed) == 0 && !failed;
	}
	return done;
}

/* `size` bytes, and behind them nothing that could be mistaken for their continuation. */
static unsigned char *map_alone(size_t size) {
	unsigned char *all =
	    mmap(NULL, 4 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED || mprotect(all + PAGE, size, PROT_READ | PROT_WRITE) < 0)
		return NULL;
	pattern_fill(all + PAGE, size, generation + size);
	return all + PAGE;
}

static bool build(bool threads) {
	pattern_fill(data_section, sizeof data_section, generation);
	pattern_fill(bss_section, sizeof bss_section, generation + 1);
	for (size_t i = 0; i < N_SMALL; i++)
		if (!block_make(&blocks[i], 1024 + i % 3 * 1024, generation * 3 + i))
			return false;
	for (size_t i = N_SMALL; i < N_SMALL + N_LARGE; i++)
		if (!block_make(&blocks[i], MEBIBYTE, generation * 5 + i))
			return false;
	mapped = map_alone(MAPPED_BYTES);
	constant = map_alone(MEBIBYTE);
	growing = map_alone(GROWING_BYTES);
	spread = map_alone(2 * MEBIBYTE);
	marker = strdup(HEAVY_MARKER);
	return mapped && constant && growing && spread && marker &&
	       mprotect(constant, MEBIBYTE, PROT_READ) == 0 && build_by_threads(threads);
}

/* --- the preload ----------------------------------------------------------------------------- */

/* Writes, and changes nothing. */
static void touch(volatile unsigned char *byte) {
	*byte = *byte;
}

static void write_at_fork(void) {
	touch(mapped);
	touch(mapped + 5 * PAGE);
	touch(blocks[N_SMALL / 2].memory);
}

static void spread_at_fork(void) {
	spread[n_spread++ % (2 * MEBIBYTE / PAGE) * PAGE]++;
}

static void flood_at_fork(void) {
	for (size_t i = 0; i < 100; i++)
		spread[2 * i * PAGE]++;
}

static void *wait_for_ever(void *argument) {
	for (;;)
		pause();
	return argument;
}

static int prepare(const char *words) {
	pthread_t thread;

	if (strstr(words, "little") == NULL && !build(strstr(words, "threads") != NULL))
		return ENOMEM;
	if (strstr(words, "handlers") &&
	    pthread_atfork(write_at_fork, write_at_fork, write_at_fork) != 0)
		return ENOMEM;
	if (strstr(words, "spreading") && pthread_atfork(spread_at_fork, NULL, NULL) != 0)
		return ENOMEM;
	if (strstr(words, "flooding") && pthread_atfork(flood_at_fork, NULL, NULL) != 0)
		return ENOMEM;
	if (strstr(words, "running") && pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		return EAGAIN;
	return 0;
}

/* --- a handler that lets no other signal through --------------------------------------------- */

static volatile sig_atomic_t rung;
static bool masking;

/* A system call in it, as most handlers make some: this one's return is one anyway. */
static void ring(int number) {
	(void)number;
	rung += getppid() > 0;
}

static int initialize(const struct wf_worker_info *info) {
	const struct itimerval soon = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = ring };

	(void)info;
	if (!masking)
		return 0;
	(void)sigfillset(&action.sa_mask);
	return sigaction(SIGALRM, &action, NULL) | setitimer(ITIMER_REAL, &soon, NULL);
}

/* Makes no system call of its own. */
static int wait_for_bell(struct wf_call *call) {
	const sig_atomic_t before = rung;

	while (rung == before)
		;
	return wf_return(call, "rung", 4);
}

static int preload(const struct wf_preload_info *info) {
	char words[128];
	int error;

	snprintf(words, sizeof words, "%.*s", (int)info->argument_size,
		 (const char *)info->argument);
	generation = info->generation;
	masking = strstr(words, "masking") != NULL;
	error = prepare(words);
	at_preload = hash_all();
	return error;
}

/* --- the bytes ------------------------------------------------------------------------------- */

static int hash(struct wf_call *call) {
	answer_begin();
	answer.now = hash_all();
	check(answer.now == at_preload);
	for (size_t i = 0; i < N_BLOCKS && blocks[i].memory; i++)
		check(pattern_is(blocks[i].memory, blocks[i].size, blocks[i].seed));
	check(!marker || strcmp(marker, HEAVY_MARKER) == 0);
	return answer_now(call);
}

static int hold(struct wf_call *call) {
	char byte;

	dprintf(wf_call_descriptor(call, 0), "held\n");
	if (read(wf_call_descriptor(call, 1), &byte, 1) != 1)
		return wf_fail(call, errno, "nobody released it");
	return hash(call);
}

/* What one worker writes, no other one sees. */
static int scribble(struct wf_call *call) {
	answer_begin();
	memset(data_section, 7, sizeof data_section);
	memset(bss_section, 7, sizeof bss_section);
	memset(mapped, 7, MAPPED_BYTES);
	memset(growing, 7, GROWING_BYTES);
	for (size_t i = 0; i < N_BLOCKS; i++)
		memset(blocks[i].memory, 7, blocks[i].size);
	answer.now = hash_all();
	check(answer.now != at_preload);
	return answer_now(call);
}

/* --- growth ---------------------------------------------------------------------------------- */

static int grow(struct wf_call *call) {
	unsigned char *more = sbrk((intptr_t)(2 * MEBIBYTE)), *map;

	answer_begin();
	check(more != (void *)-1 && pattern_is_zero(more, 2 * MEBIBYTE));
	if (more != (void *)-1) {
		pattern_fill(more, 2 * MEBIBYTE, 1);
		check(pattern_is(more, 2 * MEBIBYTE, 1));
	}
	map = mmap(NULL, 16 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(map != MAP_FAILED && pattern_is_zero(map, 16 * MEBIBYTE));
	if (map != MAP_FAILED) {
		pattern_fill(map, 16 * MEBIBYTE, 2);
		check(pattern_is(map, 16 * MEBIBYTE, 2));
		check(munmap(map, 16 * MEBIBYTE) == 0);
	}
	answer.now = hash_all();
	check(answer.now == at_preload);
	return answer_now(call);
}

/* A preloaded mapping is moved to where there is room, and is larger there. */
static int grow_mapping(struct wf_call *call) {
	const uint64_t seed = generation + GROWING_BYTES;
	unsigned char *moved = mremap(growing, GROWING_BYTES, 3 * GROWING_BYTES, MREMAP_MAYMOVE);

	answer_begin();
	check(moved != MAP_FAILED);
	if (moved == MAP_FAILED)
		return answer_now(call);
	check(pattern_is(moved, GROWING_BYTES, seed));
	check(pattern_is_zero(moved + GROWING_BYTES, 2 * GROWING_BYTES));
	pattern_fill(moved + GROWING_BYTES, 2 * GROWING_BYTES, 3);
	check(pattern_is(moved, GROWING_BYTES, seed));
	check(pattern_is(moved + GROWING_BYTES, 2 * GROWING_BYTES, 3));
	growing = mremap(moved, 3 * GROWING_BYTES, GROWING_BYTES, MREMAP_MAYMOVE);
	check(growing == moved && pattern_is(growing, GROWING_BYTES, seed));
	answer.now = hash_all();
	check(answer.now == at_preload);
	return answer_now(call);
}

/* realloc(3) of malloc's own maps, which lie one beside the other, is mremap(2). */
static int grow_blocks(struct wf_call *call) {
	answer_begin();
	for (size_t i = N_SMALL; i < N_SMALL + N_LARGE; i++) {
		struct block *block = &blocks[i];
		unsigned char *grown = realloc(block->memory, 3 * block->size);

		check(grown != NULL);
		if (!grown)
			break;
		check(pattern_is(grown, block->size, block->seed));
		pattern_fill(grown + block->size, 2 * block->size, i);
		block->memory = grown;
	}
	for (size_t i = N_SMALL; i < N_SMALL + N_LARGE; i++) {
		const struct block *block = &blocks[i];

		check(pattern_is(block->memory, block->size, block->seed));
		check(pattern_is(block->memory + block->size, 2 * block->size, i));
	}
	answer.now = hash_all();
	check(answer.now == at_preload);
	return answer_now(call);
}

/* --- the allocator --------------------------------------------------------------------------- */

static void block_resize(struct block *block, size_t size) {
	unsigned char *memory = realloc(block->memory, size);

	check(memory != NULL);
	if (!memory)
		return;
	block->memory = memory;
	check(pattern_is(memory, size < block->size ? size : block->size, block->seed));
	block->size = size;
	pattern_fill(memory, size, block->seed);
}

static void block_replace(struct block *block, size_t size, uint64_t seed, bool zeroed) {
	free(block->memory);
	block->memory = zeroed ? calloc(1, size) : malloc(size);
	block->size = size;
	block->seed = seed;
	check(block->memory != NULL);
	if (!block->memory)
		return;
	check(!zeroed || pattern_is_zero(block->memory, size));
	pattern_fill(block->memory, size, seed);
}

/* A hundred thousand times one of the blocks, of the preload or newer, becomes another. */
static int churn(struct wf_call *call) {
	uint64_t state = pattern_first(generation);

	answer_begin();
	for (uint64_t i = 0; i < N_OPERATIONS; i++) {
		uint64_t random = pattern_next(&state);
		struct block *block = &blocks[random % N_BLOCKS];
		size_t size = 64 + (random >> 20) % 500 * 8;

		if (block->size >= MEBIBYTE && random >> 40 & 7)
			continue;
		check(pattern_is(block->memory, block->size, block->seed));
		if (random >> 50 & 1)
			block_resize(block, size);
		else
			block_replace(block, size, i, random >> 51 & 1);
	}
	for (size_t i = 0; i < N_BLOCKS; i++)
		check(pattern_is(blocks[i].memory, blocks[i].size, blocks[i].seed));
	return answer_now(call);
}

/* All is given back, to the kernel too, and zeroes are asked for where the image was. */
static void free_and_calloc(struct block *first, size_t n) {
	for (size_t i = 0; i < n; i++) {
		free(first[i].memory);
		first[i].memory = NULL;
	}
	check(malloc_trim(0) >= 0);
	for (size_t i = 0; i < n; i++) {
		first[i].memory = calloc(1, first[i].size);
		check(first[i].memory && pattern_is_zero(first[i].memory, first[i].size));
		if (first[i].memory)
			memset(first[i].memory, 0x55, first[i].size);
	}
	for (size_t i = 0; i < n; i++) {
		free(first[i].memory);
		first[i].memory = NULL;
	}
	for (size_t i = 0; i < n; i++) {
		first[i].size = i % 7 == 0 ? 100000 : 5000;
		first[i].memory = calloc(1, first[i].size);
		check(first[i].memory && pattern_is_zero(first[i].memory, first[i].size));
	}
}

/* In a thread, which takes one of the arenas that the preload's threads have left. */
static void *free_and_calloc_thread(void *argument) {
	free_and_calloc(argument, N_OF_THREAD);
	return NULL;
}

static int zeroes(struct wf_call *call) {
	struct block *first = blocks + N_SMALL + N_LARGE;
	pthread_t thread;

	answer_begin();
	for (size_t i = 0; i < N_THREADS; i++) {
		check(pthread_create(&thread, NULL, free_and_calloc_thread,
				     first + i * N_OF_THREAD) == 0);
		check(pthread_join(thread, NULL) == 0);
	}
	free_and_calloc(blocks, N_SMALL + N_LARGE);
	return answer_now(call);
}

/* --- what is documented of MADV_DONTNEED ----------------------------------------------------- */

static int give_back(struct wf_call *call) {
	const uint64_t seed = generation + MAPPED_BYTES;

	answer_begin();
	check(pattern_is(mapped, MAPPED_BYTES, seed));
	memset(mapped, 9, MAPPED_BYTES);
	check(madvise(mapped, MAPPED_BYTES, MADV_DONTNEED) == 0);
	check(pattern_is(mapped, MAPPED_BYTES, seed));
	check(madvise(mapped, MAPPED_BYTES, MADV_FREE) == -1 && errno == EINVAL);
	answer.now = hash_all();
	check(answer.now == at_preload);
	return answer_now(call);
}

/* Far from each other, so that no fault serves two of them. */
static int write_pages(struct wf_call *call) {
	struct rusage before, after;
	uint64_t faults;

	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < HEAVY_WRITTEN; i++)
		mapped[i * (MAPPED_BYTES / HEAVY_WRITTEN)]++;
	getrusage(RUSAGE_SELF, &after);
	faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
	return wf_return(call, &faults, sizeof faults);
}

static int nothing(struct wf_call *call) {
	(void)call;
	return 0;
}

static int dump(struct wf_call *call) {
	(void)call;
	abort();
}

WF_MODULE(.preload = preload, .initialize = initialize,
	  .functions = WF_FUNCTIONS({ "hash", hash }, { "hold", hold }, { "scribble", scribble },
				    { "grow", grow }, { "grow_mapping", grow_mapping },
				    { "grow_blocks", grow_blocks }, { "churn", churn },
				    { "zeroes", zeroes }, { "give_back", give_back },
				    { "abort", dump }, { "nothing", nothing },
				    { "write_pages", write_pages },
				    { "wait_for_bell", wait_for_bell }));
