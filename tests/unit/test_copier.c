/* SPDX-License-Identifier: MIT
 *
 * zygote/mapping, zygote/pages and zygote/copier: what memory there is, which pages of it are ours
 * alone, and that moving them into a file changes none of their bytes.
 *
 * A program without sanitizers in every build: their shadow memory and their handling of mmap(2)
 * would be tested here, and not what is meant. It runs twice, the second time as on a kernel that
 * has no PAGEMAP_SCAN.
 */
#include "zygote/copier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/feature.h"
#include "tests/support/fixture.h"
#include "tests/support/memory.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])
#define TERABYTE    ((size_t)1 << 40)

/* --- a scratch file -------------------------------------------------------------------------- */

static int file_make(const char *name, size_t size) {
	static unsigned char bytes[16 * 4096];
	char path[1024];
	int fd;

	ck_assert_uint_le(size, sizeof bytes);
	snprintf(path, sizeof path, "%s/%s", fixture_scratch(), name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_byte(i);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

static unsigned char *file_map(int fd, size_t n_pages, int protection, int flags) {
	unsigned char *map = memory_region(n_pages, PROT_NONE);

	ck_assert_ptr_eq(mmap(map, n_pages * PAGE_BYTES, protection, flags | MAP_FIXED, fd, 0),
			 map);
	return map;
}

/* --- mapping_each: kinds --------------------------------------------------------------------- */

START_TEST(test_mapping_kinds) {
	const char here = 0;
	int fd = file_make("plain", 2 * PAGE_BYTES);
	int memfd = fd_memfd(MAPPING_FROZEN_NAME, 4096), other = fd_memfd("another", 4096);

	ck_assert_int_eq(memory_at(memory_region(3, PROT_READ | PROT_WRITE)).kind,
			 MAPPING_ANONYMOUS);
	ck_assert_ptr_ne(sbrk(1 << 20), (void *)-1);
	ck_assert_int_eq(memory_at((char *)sbrk(0) - 1).kind, MAPPING_HEAP);
	ck_assert_int_eq(memory_at(&here).kind, MAPPING_STACK);
	ck_assert_int_eq(memory_at((const void *)getauxval(AT_SYSINFO_EHDR)).kind, MAPPING_SPECIAL);
	ck_assert_int_eq(memory_at(file_map(fd, 2, PROT_READ, MAP_PRIVATE)).kind, MAPPING_FILE);
	ck_assert_int_eq(memory_at(file_map(fd, 2, PROT_READ, MAP_SHARED)).kind, MAPPING_FILE);
	ck_assert_int_eq(memory_at(file_map(memfd, 1, PROT_READ, MAP_PRIVATE)).kind,
			 MAPPING_FROZEN);
	ck_assert_int_eq(memory_at(file_map(other, 1, PROT_READ, MAP_PRIVATE)).kind, MAPPING_FILE);
	fd_close(fd);
	fd_close(memfd);
	fd_close(other);
}
END_TEST

START_TEST(test_mapping_protections) {
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
					   PROT_READ | PROT_EXEC };

	for (size_t i = 0; i < N_OF(protections); i++)
		ck_assert_int_eq(memory_at(memory_region(1, protections[i])).protection,
				 protections[i]);
}
END_TEST

START_TEST(test_mapping_bounds_and_sizes) {
	unsigned char *region = memory_region(16, PROT_READ | PROT_WRITE);
	struct mapping mapping;

	for (size_t i = 0; i < 3; i++)
		region[(5 + 2 * i) * PAGE_BYTES] = 1;
	mapping = memory_at(region);
	ck_assert_uint_eq(mapping.start, (uintptr_t)region);
	ck_assert_uint_eq(mapping.end, (uintptr_t)region + 16 * PAGE_BYTES);
	ck_assert_uint_eq(mapping.anonymous, 3 * PAGE_BYTES);
	ck_assert_uint_eq(mapping.resident, 3 * PAGE_BYTES);
	ck_assert_str_eq(mapping.name, "");
}
END_TEST

/* Of a private mapping, the file's pages are resident and only what was written to is ours. */
START_TEST(test_mapping_sizes_of_a_file) {
	int fd = file_make("sizes", 8 * PAGE_BYTES);
	unsigned char *map = file_map(fd, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct mapping mapping;

	for (size_t i = 0; i < 8; i++)
		ck_assert_uint_eq(((volatile unsigned char *)map)[i * PAGE_BYTES],
				  pattern_byte(i * PAGE_BYTES));
	map[2 * PAGE_BYTES] = 1;
	mapping = memory_at(map);
	ck_assert_uint_eq(mapping.anonymous, PAGE_BYTES);
	ck_assert_uint_eq(mapping.resident, 8 * PAGE_BYTES);
	fd_close(fd);
}
END_TEST

/* --- mapping_each: flags --------------------------------------------------------------------- */

START_TEST(test_mapping_flags_of_madvise) {
	static const struct {
		int advice;
		unsigned flags;
	} cases[] = {
		{ MADV_NORMAL, 0 },
		{ MADV_DONTDUMP, MAPPING_NO_DUMP },
		{ MADV_DONTFORK, MAPPING_ODD },
		{ MADV_WIPEONFORK, MAPPING_ODD },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		unsigned char *region = memory_region(2, PROT_READ | PROT_WRITE);

		ck_assert_int_eq(madvise(region, 2 * PAGE_BYTES, cases[i].advice), 0);
		ck_assert_msg(memory_at(region).flags == cases[i].flags, "advice %d: flags %#x",
			      cases[i].advice, memory_at(region).flags);
	}
}
END_TEST

START_TEST(test_mapping_flags_of_mmap) {
	unsigned char *region = memory_region(2, PROT_NONE);
	struct mapping mapping;
	const char here = 0;

	ck_assert_ptr_eq(mmap(region, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 region);
	ck_assert_uint_eq(memory_at(region).flags, MAPPING_SHARED);
	ck_assert_int_eq(mlock(region, 2 * PAGE_BYTES), 0);
	ck_assert_uint_eq(memory_at(region).flags, MAPPING_SHARED | MAPPING_LOCKED);
	mapping = memory_at(&here); /* it grows downwards */
	ck_assert_uint_eq(mapping.flags, MAPPING_ODD);
	mapping = memory_at((const void *)getauxval(AT_SYSINFO_EHDR));
	ck_assert_int_eq(mapping.kind, MAPPING_SPECIAL);
}
END_TEST

START_TEST(test_mapping_with_a_protection_key) {
	unsigned char *region = memory_region(2, PROT_READ | PROT_WRITE);
	int key = pkey_alloc(0, 0);

	if (key < 0) {
		printf("# skipped: no protection keys here: %s\n", strerror(errno));
		return;
	}
	ck_assert_int_eq(pkey_mprotect(region, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, key), 0);
	ck_assert_uint_eq(memory_at(region).flags, MAPPING_KEYED);
	ck_assert_int_eq(pkey_free(key), 0);
}
END_TEST

/* --- mapping_each: names --------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end) {
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

START_TEST(test_mapping_names) {
	int fd = file_make("short", 1);
	unsigned char *map = file_map(fd, 1, PROT_READ, MAP_PRIVATE);

	ck_assert(ends_with(memory_at(map).name, "/short"));
	ck_assert_str_eq(memory_at((char *)sbrk(0) - 1).name, "[heap]");
	ck_assert_str_eq(memory_at(&fd).name, "[stack]");
	fd_close(fd);
}
END_TEST

/* `length` bytes: of a path of such a length the end is kept, whatever the window of the reader. */
static void check_long_name(size_t length) {
	char path[1200], name[256];
	struct mapping mapping;
	unsigned char *map;
	int fd;

	snprintf(path, sizeof path, "%s", fixture_scratch());
	ck_assert_int_eq(chdir(path), 0);
	while (strlen(path) + 210 < length) {
		memset(name, 'd', 200);
		name[200] = '\0';
		ck_assert_int_eq(mkdir(name, 0700), 0);
		ck_assert_int_eq(chdir(name), 0);
		snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
	}
	memset(name, 'f', sizeof name);
	snprintf(name + 80, sizeof name - 80, ".the-end-%zu", length);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	map = file_map(fd, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	map[0] = 1;
	ck_assert_int_eq(madvise(map, PAGE_BYTES, MADV_DONTFORK), 0);
	mapping = memory_at(map);
	ck_assert_uint_eq(strlen(mapping.name), MAPPING_NAME - 1);
	snprintf(path, sizeof path, "ffff.the-end-%zu", length);
	ck_assert_msg(ends_with(mapping.name, path), "%s", mapping.name);
	ck_assert_int_eq(mapping.kind, MAPPING_FILE);
	ck_assert_uint_eq(mapping.flags, MAPPING_ODD);
	ck_assert_uint_eq(mapping.anonymous, PAGE_BYTES);
	fd_close(fd);
	ck_assert_int_eq(chdir("/"), 0);
}

START_TEST(test_mapping_name_longer_than_kept) {
	check_long_name(120);
}
END_TEST

START_TEST(test_mapping_name_longer_than_a_line) {
	check_long_name(1000);
}
END_TEST

/* --- mapping_each: all of them --------------------------------------------------------------- */

struct comparison {
	const char *text; /* of /proc/self/maps */
	size_t n, n_wrong;
	uintptr_t end;
};

static void compare(void *context, const struct mapping *mapping) {
	struct comparison *comparison = context;
	unsigned long start = 0, end = 0;

	if (sscanf(comparison->text, "%lx-%lx", &start, &end) != 2 || start != mapping->start ||
	    end != mapping->end || mapping->start < comparison->end)
		comparison->n_wrong++;
	comparison->text += strcspn(comparison->text, "\n");
	comparison->text += *comparison->text == '\n';
	comparison->end = mapping->end;
	comparison->n++;
}

/* More than one window of the file, in order, none left out. */
START_TEST(test_mappings_are_those_of_maps) {
	static char text[1 << 18];
	struct comparison comparison = { .text = text };
	size_t size = 0;
	ssize_t n;
	int fd;

	for (int i = 0; i < 100; i++)
		(void)memory_region(1, PROT_READ);
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	while ((n = read(fd, text + size, sizeof text - 1 - size)) > 0)
		size += (size_t)n;
	fd_close(fd);
	ck_assert_uint_lt(size, sizeof text - 1);
	ck_assert_int_eq(mapping_each(compare, &comparison), 0);
	ck_assert_uint_eq(comparison.n_wrong, 0);
	ck_assert_uint_gt(comparison.n, 200);
	ck_assert_int_eq(*comparison.text, '\0');
}
END_TEST

/* --- pages_private --------------------------------------------------------------------------- */

static struct pages pages_opened(void) {
	struct pages pages;

	ck_assert_int_eq(pages_open(&pages), 0);
	if (feature_hidden(FEATURE_PAGEMAP_SCAN))
		ck_assert(!pages.scan);
	return pages;
}

/* All runs, asked for `step` at a time. */
static size_t runs_of(const struct pages *pages, const unsigned char *region, size_t n_pages,
		      struct page_run *runs, size_t n_runs, size_t step) {
	uintptr_t at = (uintptr_t)region, end = at + n_pages * PAGE_BYTES;
	size_t n = 0;

	while (at < end) {
		uintptr_t next = 0;
		int got;

		ck_assert_uint_le(n + step, n_runs);
		got = pages_private(pages, at, end, runs + n, step, &next);
		ck_assert_int_ge(got, 0);
		ck_assert_int_le(got, (int)step);
		ck_assert(next > at && next <= end);
		at = next;
		/* a run may be cut in two at the end of an answer */
		for (int i = 0; i < got; i++, n++)
			if (n > 0 && runs[n - 1].end == runs[n].start) {
				runs[n - 1].end = runs[n].end;
				memmove(runs + n, runs + n + 1, (size_t)(got - i) * sizeof *runs);
				n--;
			}
	}
	return n;
}

static void check_run(const struct page_run *run, const unsigned char *region, size_t first,
		      size_t n_pages) {
	ck_assert_uint_eq(run->start, (uintptr_t)region + first * PAGE_BYTES);
	ck_assert_uint_eq(run->end, run->start + n_pages * PAGE_BYTES);
}

START_TEST(test_pages_written_are_private) {
	struct pages pages = pages_opened();
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	struct page_run runs[80];

	ck_assert_uint_eq(runs_of(&pages, region, 64, runs, N_OF(runs), 64), 0);
	region[0] = 1;
	region[5 * PAGE_BYTES + 77] = 0; /* written, though zero */
	memset(region + 10 * PAGE_BYTES, 1, 7 * PAGE_BYTES);
	region[63 * PAGE_BYTES] = 1;
	ck_assert_uint_eq(runs_of(&pages, region, 64, runs, N_OF(runs), 64), 4);
	check_run(&runs[0], region, 0, 1);
	check_run(&runs[1], region, 5, 1);
	check_run(&runs[2], region, 10, 7);
	check_run(&runs[3], region, 63, 1);
	ck_assert_uint_eq(runs_of(&pages, region + 11 * PAGE_BYTES, 3, runs, N_OF(runs), 64), 1);
	check_run(&runs[0], region, 11, 3);
	pages_close(&pages);
}
END_TEST

/* Reading maps the zero page, which is no page of ours and is not counted as resident.
 * /proc/PID/pagemap alone cannot tell it from one that is; and there are kernels without it, in
 * virtual machines that share no page, where each page that is read becomes a private one. */
START_TEST(test_pages_read_are_not_private) {
	struct pages pages = pages_opened();
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	struct page_run runs[80];

	for (size_t i = 10; i < 20; i++)
		ck_assert(memory_is_readable(region + i * PAGE_BYTES));
	region[15 * PAGE_BYTES] = 1;
	if (pages.scan && memory_at(region).resident == PAGE_BYTES) {
		ck_assert_uint_eq(runs_of(&pages, region, 64, runs, N_OF(runs), 64), 1);
		check_run(&runs[0], region, 15, 1);
	} else {
		ck_assert_uint_eq(runs_of(&pages, region, 64, runs, N_OF(runs), 64), 1);
		ck_assert_uint_ge(runs[0].start, (uintptr_t)region + 10 * PAGE_BYTES);
		ck_assert_uint_le(runs[0].end, (uintptr_t)region + 20 * PAGE_BYTES);
		ck_assert_uint_le(runs[0].start, (uintptr_t)region + 15 * PAGE_BYTES);
		ck_assert_uint_ge(runs[0].end, (uintptr_t)region + 16 * PAGE_BYTES);
	}
	pages_close(&pages);
}
END_TEST

/* More runs than an answer of the kernel, a window of pagemap or the caller has room for. */
START_TEST(test_pages_in_many_runs) {
	static struct page_run runs[2200];
	struct pages pages = pages_opened();
	unsigned char *region = memory_region(4096, PROT_READ | PROT_WRITE);
	static const size_t steps[] = { 1, 3, 64, 1100 };
	uintptr_t next;

	ck_assert_int_eq(madvise(region, 4096 * PAGE_BYTES, MADV_NOHUGEPAGE), 0);
	for (size_t i = 0; i < 1000; i++)
		region[(3 + i * 4) * PAGE_BYTES] = 1;
	/* one over the border of a window of 512 pages */
	memset(region + 508 * PAGE_BYTES, 1, 8 * PAGE_BYTES);
	for (size_t i = 0; i < N_OF(steps); i++) {
		size_t n = runs_of(&pages, region, 4096, runs, N_OF(runs), steps[i]);

		ck_assert_uint_eq(n, 998); /* pages 507, 511 and 515 are in one run */
		check_run(&runs[0], region, 3, 1);
		check_run(&runs[126], region, 507, 9);
		check_run(&runs[997], region, 3999, 1);
	}
	ck_assert_int_eq(pages_private(&pages, (uintptr_t)region,
				       (uintptr_t)region + 4096 * PAGE_BYTES, runs, N_OF(runs),
				       &next),
			 pages.scan ? 64 : 998);
	ck_assert_int_eq(pages_private(&pages, (uintptr_t)region + 500 * PAGE_BYTES,
				       (uintptr_t)region + 520 * PAGE_BYTES, runs, N_OF(runs),
				       &next),
			 3);
	check_run(&runs[1], region, 507, 9);
	pages_close(&pages);
}
END_TEST

START_TEST(test_pages_of_a_file_are_not_private) {
	struct pages pages = pages_opened();
	int files[] = { file_make("pages", 16 * PAGE_BYTES), fd_memfd("pages", 16 * PAGE_BYTES) };
	struct page_run runs[80];

	for (size_t i = 0; i < N_OF(files); i++) {
		unsigned char *map = file_map(files[i], 16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		unsigned char *shared = file_map(files[i], 16, PROT_READ | PROT_WRITE, MAP_SHARED);

		for (size_t page = 0; page < 8; page++)
			ck_assert(memory_is_readable(map + page * PAGE_BYTES));
		ck_assert_int_eq(memory_at(map).resident > 0, 1);
		shared[2 * PAGE_BYTES] = 1;
		ck_assert_uint_eq(runs_of(&pages, map, 16, runs, N_OF(runs), 64), 0);
		ck_assert_uint_eq(runs_of(&pages, shared, 16, runs, N_OF(runs), 64), 0);
		map[3 * PAGE_BYTES] = 1;  /* a page that had been read */
		map[12 * PAGE_BYTES] = 1; /* a page that had not */
		ck_assert_uint_eq(runs_of(&pages, map, 16, runs, N_OF(runs), 64), 2);
		check_run(&runs[0], map, 3, 1);
		check_run(&runs[1], map, 12, 1);
		fd_close(files[i]);
	}
	pages_close(&pages);
}
END_TEST

START_TEST(test_pages_have_guard) {
	struct pages pages = pages_opened();
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	uintptr_t start = (uintptr_t)region, end = start + 64 * PAGE_BYTES;

	memset(region, 1, 64 * PAGE_BYTES);
	ck_assert(!pages_have_guard(&pages, start, end));
	if (!memory_guard(region + 20 * PAGE_BYTES, 2 * PAGE_BYTES))
		printf("# skipped: no guard regions here (6.13)\n");
	else if (!pages.scan || !memory_guard_is_told())
		printf("# skipped: this kernel does not tell guard regions (6.15)\n");
	else {
		ck_assert(pages_have_guard(&pages, start, end));
		ck_assert(!pages_have_guard(&pages, start, start + 20 * PAGE_BYTES));
	}
	pages_close(&pages);
}
END_TEST

/* --- copier_move ----------------------------------------------------------------------------- */

struct bench {
	struct pages pages;
	struct copier copier;
};

static void bench_open(struct bench *bench, int previous) {
	bench->pages = pages_opened();
	bench->copier = (struct copier){
		.pages = &bench->pages,
		.memfd = fd_memfd(MAPPING_FROZEN_NAME, (size_t)COPIER_FILE_SIZE),
		.previous = previous,
	};
	ck_assert_int_ge(bench->copier.memfd, 0);
}

static void bench_close(struct bench *bench) {
	bench->copier.memfd = fd_close(bench->copier.memfd);
	pages_close(&bench->pages);
}

static int move(struct bench *bench, const unsigned char *region, size_t n_pages) {
	const struct mapping mapping = memory_at(region);

	return copier_move(&bench->copier, &mapping, (uintptr_t)region,
			   (uintptr_t)region + n_pages * PAGE_BYTES);
}

static size_t pages_in_file(int fd) {
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return (size_t)status.st_blocks * 512 / PAGE_BYTES;
}

/* It comes from the file now, nothing of it is ours, and it is where it was. */
static void check_moved(const struct bench *bench, const unsigned char *region, size_t n_pages,
			int protection) {
	const struct mapping mapping = memory_at(region);
	struct page_run run;
	uintptr_t next;

	ck_assert_int_eq(mapping.kind, MAPPING_FROZEN);
	ck_assert_int_eq(mapping.protection, protection);
	ck_assert_uint_eq(mapping.flags & MAPPING_SHARED, 0);
	ck_assert_uint_ge(mapping.end, (uintptr_t)region + n_pages * PAGE_BYTES);
	ck_assert_int_eq(pages_private(&bench->pages, (uintptr_t)region,
				       (uintptr_t)region + n_pages * PAGE_BYTES, &run, 1, &next),
			 0);
}

START_TEST(test_move_anonymous_memory) {
	const size_t n_pages = (2 * COPIER_CHUNK + (8 << 20)) / PAGE_BYTES;
	unsigned char *region = memory_region(n_pages, PROT_READ | PROT_WRITE);
	struct bench bench;
	uint64_t hash;

	pattern_fill(region, n_pages * PAGE_BYTES, 1);
	hash = pattern_hash(region, n_pages * PAGE_BYTES);
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, region, n_pages), 0);
	check_moved(&bench, region, n_pages, PROT_READ | PROT_WRITE);
	ck_assert_uint_eq(bench.copier.copied, n_pages * PAGE_BYTES);
	ck_assert_uint_eq(pages_in_file(bench.copier.memfd), n_pages);
	ck_assert_uint_eq(pattern_hash(region, n_pages * PAGE_BYTES), hash);
	/* ours again, and not the file's */
	region[5 * PAGE_BYTES] ^= 0xff;
	ck_assert_uint_ne(pattern_hash(region, n_pages * PAGE_BYTES), hash);
	region[5 * PAGE_BYTES] ^= 0xff;
	ck_assert_uint_eq(pattern_hash(region, n_pages * PAGE_BYTES), hash);
	bench_close(&bench);
}
END_TEST

START_TEST(test_move_keeps_protection) {
	static const int protections[] = { PROT_READ, PROT_READ | PROT_WRITE };

	for (size_t i = 0; i < N_OF(protections); i++) {
		unsigned char *region = memory_region(32, PROT_READ | PROT_WRITE);
		struct bench bench;
		uint64_t hash;

		pattern_fill(region, 32 * PAGE_BYTES, 2);
		hash = pattern_hash(region, 32 * PAGE_BYTES);
		ck_assert_int_eq(mprotect(region, 32 * PAGE_BYTES, protections[i]), 0);
		bench_open(&bench, -1);
		ck_assert_int_eq(move(&bench, region, 32), 0);
		check_moved(&bench, region, 32, protections[i]);
		ck_assert_uint_eq(pattern_hash(region, 32 * PAGE_BYTES), hash);
		/* what a library does to its relocated data still works */
		ck_assert_int_eq(mprotect(region, 32 * PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
		region[0] = 1;
		bench_close(&bench);
	}
}
END_TEST

START_TEST(test_move_keeps_dontdump) {
	for (int hidden = 0; hidden < 2; hidden++) {
		unsigned char *region = memory_region(32, PROT_READ | PROT_WRITE);
		struct bench bench;

		pattern_fill(region, 32 * PAGE_BYTES, 3);
		if (hidden)
			ck_assert_int_eq(madvise(region, 32 * PAGE_BYTES, MADV_DONTDUMP), 0);
		bench_open(&bench, -1);
		ck_assert_int_eq(move(&bench, region, 32), 0);
		ck_assert_uint_eq(memory_at(region).flags, hidden ? MAPPING_NO_DUMP : 0);
		bench_close(&bench);
	}
}
END_TEST

/* A reserve that costs nothing must not cost anything in the file either. */
START_TEST(test_move_leaves_holes_of_a_terabyte) {
	const size_t n_touched = 100, stride = TERABYTE / n_touched / PAGE_BYTES * PAGE_BYTES;
	unsigned char *reserve = mmap(NULL, TERABYTE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct bench bench;

	ck_assert_ptr_ne(reserve, MAP_FAILED);
	ck_assert_int_eq(madvise(reserve, TERABYTE, MADV_NOHUGEPAGE), 0);
	for (size_t i = 0; i < n_touched; i++)
		pattern_fill(reserve + i * stride, PAGE_BYTES, i);
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, reserve, TERABYTE / PAGE_BYTES), 0);
	ck_assert_uint_eq(bench.copier.copied, n_touched * PAGE_BYTES);
	ck_assert_uint_eq(pages_in_file(bench.copier.memfd), n_touched);
	check_moved(&bench, reserve, 1, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < n_touched; i++) {
		ck_assert(pattern_is(reserve + i * stride, PAGE_BYTES, i));
		ck_assert(pattern_is_zero(reserve + i * stride + PAGE_BYTES, PAGE_BYTES));
	}
	bench_close(&bench);
	ck_assert_int_eq(munmap(reserve, TERABYTE), 0);
}
END_TEST

/* The new mapping hides the file: so all of its bytes are taken along, also those that nobody has
 * read yet, and what becomes of the file does not matter any more. */
START_TEST(test_move_private_file_mapping) {
	int fd = file_make("moved", 15 * PAGE_BYTES + 100);
	unsigned char *map = file_map(fd, 16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsigned char expected[16 * 4096] = { 0 };
	struct bench bench;

	for (size_t i = 0; i < 15 * PAGE_BYTES + 100; i++)
		expected[i] = pattern_byte(i);
	pattern_fill(map + 3 * PAGE_BYTES, PAGE_BYTES, 4);
	pattern_fill(expected + 3 * PAGE_BYTES, PAGE_BYTES, 4);
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, map, 16), 0);
	check_moved(&bench, map, 16, PROT_READ | PROT_WRITE);
	ck_assert_uint_eq(bench.copier.copied, 16 * PAGE_BYTES);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_mem_eq(map, expected, sizeof expected);
	bench_close(&bench);
	fd_close(fd);
}
END_TEST

/* Twice: what the first file holds and what was written to since goes into the second; the first
 * stays as it is, for living children map it. */
START_TEST(test_move_frozen_range_again) {
	const size_t n_pages = 4096;
	unsigned char *region = memory_region(n_pages, PROT_READ | PROT_WRITE);
	unsigned char old[50 * 4096], *data = region + 100 * PAGE_BYTES;
	struct bench first, second;

	ck_assert_int_eq(madvise(region, n_pages * PAGE_BYTES, MADV_NOHUGEPAGE), 0);
	pattern_fill(data, sizeof old, 5);
	pattern_fill(region + 3000 * PAGE_BYTES, PAGE_BYTES, 6);
	bench_open(&first, -1);
	ck_assert_int_eq(move(&first, region, n_pages), 0);
	pattern_fill(data + 20 * PAGE_BYTES, PAGE_BYTES, 7);
	pattern_fill(region + 200 * PAGE_BYTES, PAGE_BYTES, 8);
	bench_open(&second, first.copier.memfd);
	ck_assert_int_eq(move(&second, region, n_pages), 0);
	check_moved(&second, region, n_pages, PROT_READ | PROT_WRITE);
	/* the one in a hole is the one more; of that hole, the first file has a page of zeroes */
	ck_assert_uint_eq(pages_in_file(second.copier.memfd), 52);
	ck_assert_int_eq(pread(first.copier.memfd, old, sizeof old, (off_t)(uintptr_t)data),
			 (ssize_t)sizeof old);
	ck_assert(pattern_is(old, sizeof old, 5));
	ck_assert(pattern_is(data + 20 * PAGE_BYTES, PAGE_BYTES, 7));
	memcpy(data + 20 * PAGE_BYTES, old + 20 * PAGE_BYTES, PAGE_BYTES);
	ck_assert(pattern_is(data, sizeof old, 5));
	ck_assert(pattern_is(region + 3000 * PAGE_BYTES, PAGE_BYTES, 6));
	ck_assert(pattern_is(region + 200 * PAGE_BYTES, PAGE_BYTES, 8));
	ck_assert(pattern_is_zero(region + 201 * PAGE_BYTES, 2000 * PAGE_BYTES));
	bench_close(&second);
	bench_close(&first);
}
END_TEST

/* --- what cannot be read --------------------------------------------------------------------- */

START_TEST(test_move_stops_at_unreadable_pages_of_a_file) {
	int fd = file_make("cut", 4 * PAGE_BYTES);
	unsigned char *map = file_map(fd, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct bench bench;

	map[PAGE_BYTES] ^= 0xff;
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, map, 8), COPIER_E_UNREADABLE);
	for (size_t i = 0; i < 4 * PAGE_BYTES; i++)
		ck_assert_uint_eq(map[i],
				  i == PAGE_BYTES ? pattern_byte(i) ^ 0xff : pattern_byte(i));
	ck_assert_int_eq(memory_at(map).kind, MAPPING_FILE);
	bench_close(&bench);
	fd_close(fd);
}
END_TEST

START_TEST(test_move_stops_at_forbidden_pages) {
	const size_t n_pages = 2 * COPIER_CHUNK / PAGE_BYTES;
	unsigned char *region = memory_region(n_pages, PROT_READ | PROT_WRITE);
	const struct mapping mapping = memory_at(region);
	unsigned char *forbidden = region + COPIER_CHUNK + 8 * PAGE_BYTES;
	struct bench bench;
	uint64_t hash;

	pattern_fill(region, n_pages * PAGE_BYTES, 9);
	hash = pattern_hash(region, n_pages * PAGE_BYTES);
	ck_assert_int_eq(mprotect(forbidden, PAGE_BYTES, PROT_NONE), 0);
	bench_open(&bench, -1);
	ck_assert_int_eq(copier_move(&bench.copier, &mapping, mapping.start, mapping.end),
			 COPIER_E_UNREADABLE);
	/* the first chunk went, the second stayed */
	ck_assert_int_eq(memory_at(region).kind, MAPPING_FROZEN);
	ck_assert_int_eq(memory_at(region + COPIER_CHUNK).kind, MAPPING_ANONYMOUS);
	ck_assert_int_eq(memory_at(forbidden).protection, PROT_NONE);
	ck_assert_int_eq(mprotect(forbidden, PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
	ck_assert_uint_eq(pattern_hash(region, n_pages * PAGE_BYTES), hash);
	bench_close(&bench);
}
END_TEST

START_TEST(test_move_stops_at_a_guard_region) {
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	struct bench bench;

	pattern_fill(region, 64 * PAGE_BYTES, 10);
	if (!memory_guard(region + 40 * PAGE_BYTES, PAGE_BYTES)) {
		printf("# skipped: no guard regions here (6.13)\n");
		return;
	}
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, region, 64), COPIER_E_UNREADABLE);
	ck_assert(pattern_is(region, 40 * PAGE_BYTES, 10));
	ck_assert(!memory_is_readable(region + 40 * PAGE_BYTES));
	ck_assert(memory_is_readable(region + 41 * PAGE_BYTES));
	bench_close(&bench);
}
END_TEST

/* --- what cannot be done --------------------------------------------------------------------- */

START_TEST(test_move_that_fails_changes_nothing) {
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	struct mapping mapping;
	struct bench bench;

	pattern_fill(region, 64 * PAGE_BYTES, 11);
	bench_open(&bench, -1);
	ck_assert_int_eq(fcntl(bench.copier.memfd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert_int_eq(move(&bench, region, 64), -EPERM);
	mapping = memory_at(region);
	ck_assert_int_eq(mapping.kind, MAPPING_ANONYMOUS);
	mapping.kind = MAPPING_STACK;
	ck_assert_int_eq(copier_move(&bench.copier, &mapping, mapping.start, mapping.end), -EINVAL);
	mapping.kind = MAPPING_SPECIAL;
	ck_assert_int_eq(copier_move(&bench.copier, &mapping, mapping.start, mapping.end), -EINVAL);
	ck_assert(pattern_is(region, 64 * PAGE_BYTES, 11));
	bench_close(&bench);
}
END_TEST

START_TEST(test_map_again_brings_the_files_bytes_back) {
	unsigned char *region = memory_region(64, PROT_READ | PROT_WRITE);
	struct mapping mapping;
	struct bench bench;

	pattern_fill(region, 64 * PAGE_BYTES, 12);
	bench_open(&bench, -1);
	ck_assert_int_eq(move(&bench, region, 64), 0);
	pattern_fill(region + 7 * PAGE_BYTES, 3 * PAGE_BYTES, 13);
	mapping = memory_at(region);
	ck_assert_int_eq(copier_map(bench.copier.memfd, &mapping, mapping.start, mapping.end), 0);
	ck_assert(pattern_is(region, 64 * PAGE_BYTES, 12));
	check_moved(&bench, region, 64, PROT_READ | PROT_WRITE);
	bench_close(&bench);
}
END_TEST

static void add_mappings(TCase *test_case) {
	tcase_add_test(test_case, test_mapping_kinds);
	tcase_add_test(test_case, test_mapping_protections);
	tcase_add_test(test_case, test_mapping_bounds_and_sizes);
	tcase_add_test(test_case, test_mapping_sizes_of_a_file);
	tcase_add_test(test_case, test_mapping_flags_of_madvise);
	tcase_add_test(test_case, test_mapping_flags_of_mmap);
	tcase_add_test(test_case, test_mapping_with_a_protection_key);
	tcase_add_test(test_case, test_mapping_names);
	tcase_add_test(test_case, test_mapping_name_longer_than_kept);
	tcase_add_test(test_case, test_mapping_name_longer_than_a_line);
	tcase_add_test(test_case, test_mappings_are_those_of_maps);
}

int main(void) {
	TCase *test_case = fixture_case("copier");

	add_mappings(test_case);
	tcase_add_test(test_case, test_pages_written_are_private);
	tcase_add_test(test_case, test_pages_read_are_not_private);
	tcase_add_test(test_case, test_pages_in_many_runs);
	tcase_add_test(test_case, test_pages_of_a_file_are_not_private);
	tcase_add_test(test_case, test_pages_have_guard);
	tcase_add_test(test_case, test_move_anonymous_memory);
	tcase_add_test(test_case, test_move_keeps_protection);
	tcase_add_test(test_case, test_move_keeps_dontdump);
	tcase_add_test(test_case, test_move_leaves_holes_of_a_terabyte);
	tcase_add_test(test_case, test_move_private_file_mapping);
	tcase_add_test(test_case, test_move_frozen_range_again);
	tcase_add_test(test_case, test_move_stops_at_unreadable_pages_of_a_file);
	tcase_add_test(test_case, test_move_stops_at_forbidden_pages);
	tcase_add_test(test_case, test_move_stops_at_a_guard_region);
	tcase_add_test(test_case, test_move_that_fails_changes_nothing);
	tcase_add_test(test_case, test_map_again_brings_the_files_bytes_back);
	return fixture_run("copier", test_case);
}
