/* SPDX-License-Identifier: MIT
 *
 * zygote/freeze: what is frozen and what never is, that no byte changes, that forks leave it as it
 * is, and each reason that stands against it.
 *
 * Each body runs in a new process, this program executed again, which is frozen as a zygote would
 * be: it cannot assert (Check would not see it), so it tells by a pipe and its exit status what did
 * not hold. Without sanitizers in every build, and a second time as on a kernel without
 * PAGEMAP_SCAN.
 */
#include "zygote/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "tests/support/fixture.h"
#include "tests/support/memory.h"
#include "tests/support/number.h"
#include "zygote/collapse.h"
#include "zygote/pages.h"
#include "zygote/trial.h"

#define N_OF(array)    (sizeof(array) / sizeof(array)[0])
#define MEBIBYTE       ((size_t)1 << 20)
#define TERABYTE       ((size_t)1 << 40)
#define HOLES_MAX      64 /* docs of freeze_leave_out(): "too many" */
#define STATUS_SKIPPED 77
#define REPORT         3 /* where the child tells */

/* --- a child that tells ---------------------------------------------------------------------- */

static struct freeze *freeze;

static void tell(const char *text) {
	(void)!write(REPORT, text, strlen(text));
}

static _Noreturn void claim_failed(const char *line, const char *what) {
	tell("line ");
	tell(line);
	tell(": not so: ");
	tell(what);
	if (freeze) {
		tell("; freeze_text: ");
		tell(freeze_text(freeze));
	}
	leave(1);
}

#define LINE_TEXT_OF(line) #line
#define LINE_TEXT(line)    LINE_TEXT_OF(line)
#define claim(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			claim_failed(LINE_TEXT(__LINE__), #condition);                             \
	} while (0)

static _Noreturn void skip(const char *why) {
	tell(why);
	leave(STATUS_SKIPPED);
}

static void in_child(const char *body, int index) {
	char text[1024], number[16];
	size_t size = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	snprintf(number, sizeof number, "%d", index);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (dup2(ends[1], REPORT) == REPORT)
			execl("/proc/self/exe", "unit-freeze", body, number, (char *)NULL);
		leave(1);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + size, sizeof text - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		printf("# skipped: %s\n", text);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x: %s",
			      (unsigned)status, text);
}

/* The assertion takes the semicolon, which makes a declaration of it for clang-format. */
#define child_test(body)                                                                           \
	START_TEST(test_##body) {                                                                  \
		in_child(#body, _i);                                                               \
	}                                                                                          \
	END_TEST                                                                                   \
	_Static_assert(1, "")

/* --- what it holds --------------------------------------------------------------------------- */

#define N_SMALL 2000
#define N_LARGE 8

static unsigned char *small[N_SMALL], *large[N_LARGE], *writable, *readable;

static size_t small_size(size_t i) {
	return 1024 + i % 7 * 1000 / 8 * 8;
}

/* Of brk(2), of malloc's own maps, and of mmap(2): about 21 MiB. */
static void build(void) {
	for (size_t i = 0; i < N_SMALL; i++) {
		small[i] = malloc(small_size(i));
		claim(small[i] != NULL);
		pattern_fill(small[i], small_size(i), i);
	}
	for (size_t i = 0; i < N_LARGE; i++) {
		large[i] = malloc(MEBIBYTE);
		claim(large[i] != NULL);
		pattern_fill(large[i], MEBIBYTE, i);
	}
	writable = memory_region(4 * MEBIBYTE / PAGE_BYTES, PROT_READ | PROT_WRITE);
	readable = memory_region(MEBIBYTE / PAGE_BYTES, PROT_READ | PROT_WRITE);
	claim(writable && readable);
	pattern_fill(writable, 4 * MEBIBYTE, 100);
	pattern_fill(readable, MEBIBYTE, 101);
	claim(mprotect(readable, MEBIBYTE, PROT_READ) == 0);
}

static bool built_is_intact(void) {
	for (size_t i = 0; i < N_SMALL; i++)
		if (!pattern_is(small[i], small_size(i), i))
			return false;
	for (size_t i = 0; i < N_LARGE; i++)
		if (!pattern_is(large[i], MEBIBYTE, i))
			return false;
	return pattern_is(writable, 4 * MEBIBYTE, 100) && pattern_is(readable, MEBIBYTE, 101);
}

static void prepare(void) {
	freeze = freeze_new();
	claim(freeze != NULL);
	claim(freeze_file(freeze) == -1);
	build();
}

static void prepare_and_freeze(void) {
	prepare();
	claim(freeze_possible(freeze) > 0);
	claim(freeze_run(freeze) == 0);
	claim(freeze_file(freeze) >= 0);
}

static bool is_frozen(const void *address) {
	uintptr_t start, end;

	for (size_t i = 0; freeze_range(freeze, i, &start, &end); i++)
		if ((uintptr_t)address >= start && (uintptr_t)address < end)
			return true;
	return false;
}

static size_t file_bytes(void) {
	struct stat status;

	claim(fstat(freeze_file(freeze), &status) == 0);
	return (size_t)status.st_blocks * 512;
}

static ino_t file_number(void) {
	struct stat status;

	claim(fstat(freeze_file(freeze), &status) == 0);
	return status.st_ino;
}

/* --- no byte changes ------------------------------------------------------------------------- */

#define SNAPSHOT_BYTES ((size_t)512 << 20)

/* Shared, so that it is no part of what is frozen. */
struct snapshot {
	size_t n, used;
	struct copy {
		uintptr_t start, end;
		size_t offset;
	} copies[1024];
	_Alignas(4096) unsigned char bytes[SNAPSHOT_BYTES];
};

static void snapshot_take(void *context, const struct mapping *mapping) {
	struct snapshot *snapshot = context;
	size_t size = mapping->end - mapping->start;

	if (mapping->flags & (MAPPING_SHARED | MAPPING_ODD) || mapping->kind == MAPPING_SPECIAL ||
	    !(mapping->protection & PROT_READ) || size > SNAPSHOT_BYTES - snapshot->used ||
	    snapshot->n == N_OF(snapshot->copies))
		return;
	snapshot->copies[snapshot->n++] =
	    (struct copy){ mapping->start, mapping->end, snapshot->used };
	memcpy(snapshot->bytes + snapshot->used, (const void *)mapping->start, size);
	snapshot->used += size;
}

static bool snapshot_equals(const struct snapshot *snapshot, uintptr_t start, uintptr_t end) {
	for (size_t i = 0; i < snapshot->n && start < end; i++) {
		const struct copy *copy = &snapshot->copies[i];
		size_t size;

		if (start < copy->start || start >= copy->end)
			continue;
		size = (copy->end < end ? copy->end : end) - start;
		if (memcmp((const void *)start,
			   snapshot->bytes + copy->offset + (start - copy->start), size) != 0)
			return false;
		start += size;
	}
	return start == end;
}

static struct snapshot *snapshot_new(void) {
	struct snapshot *snapshot = mmap(NULL, sizeof *snapshot, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	claim(snapshot != MAP_FAILED);
	return snapshot;
}

static void every_byte_is_as_before(int index) {
	struct snapshot *snapshot = snapshot_new();
	uintptr_t start, end, last = 0;
	size_t n = 0, bytes = 0;

	(void)index;
	prepare();
	claim(freeze_possible(freeze) >= (int64_t)(17 * MEBIBYTE));
	claim(mapping_each(snapshot_take, snapshot) == 0);
	claim(freeze_run(freeze) == 0);
	for (; freeze_range(freeze, n, &start, &end); n++) {
		claim(start >= last && end > start);
		claim(snapshot_equals(snapshot, start, end));
		last = end;
		bytes += end - start;
	}
	claim(n > 0);
	claim(built_is_intact());
	claim(bytes >= freeze_facts(freeze).bytes);
	claim(freeze_facts(freeze).bytes >= 17 * MEBIBYTE);
	claim(freeze_dirtied(freeze) == 0);
}
child_test(every_byte_is_as_before);

static void what_was_built_is_frozen(int index) {
	const struct freeze_facts *facts;
	struct freeze_facts copy;

	(void)index;
	prepare_and_freeze();
	for (size_t i = 0; i < N_SMALL; i++)
		claim(is_frozen(small[i]));
	for (size_t i = 0; i < N_LARGE; i++)
		claim(is_frozen(large[i]) && is_frozen(large[i] + MEBIBYTE - 1));
	claim(is_frozen(writable) && is_frozen(readable));
	claim(memory_at(writable).kind == MAPPING_FROZEN);
	claim(memory_at(writable).protection == (PROT_READ | PROT_WRITE));
	claim(memory_at(readable).protection == PROT_READ);
	claim(memory_at(writable).anonymous == 0);
	copy = freeze_facts(freeze);
	facts = &copy;
	claim(facts->mappings >= 3 && facts->holes == 0 && facts->freezes == 1);
	claim(facts->took_ns > 0);
	claim(file_bytes() >= facts->bytes);
}
child_test(what_was_built_is_frozen);

/* Memory goes on as memory does: it grows, and what it grows by is zeroes. */
static void the_heap_goes_on(int index) {
	unsigned char *more;

	(void)index;
	prepare_and_freeze();
	more = sbrk(MEBIBYTE);
	claim(more != (void *)-1);
	claim(pattern_is_zero(more, MEBIBYTE));
	memset(more, 1, MEBIBYTE);
	for (size_t i = 0; i < N_SMALL; i += 2)
		free(small[i]);
	for (size_t i = 0; i < N_SMALL; i += 2) {
		small[i] = calloc(1, small_size(i));
		claim(small[i] != NULL && pattern_is_zero(small[i], small_size(i)));
		pattern_fill(small[i], small_size(i), i);
	}
	claim(built_is_intact());
}
child_test(the_heap_goes_on);

/* --- what is never frozen -------------------------------------------------------------------- */

/* As much of this program's own data as would qualify: the zygote's lies in the same mappings. */
static unsigned char own_data[256 << 10] = { 1 }, own_bss[256 << 10];

static void thread_pages_and_own_data_stay(int index) {
	const char *block = __builtin_thread_pointer();
	unsigned char *beside;
	struct mapping mapping;
	const char here = 0;

	(void)index;
	/* as large as one that qualifies: as a neighbour that malloc or mmap would give it */
	mapping = memory_at(block);
	beside = mmap((void *)(mapping.start - MEBIBYTE), MEBIBYTE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (beside == MAP_FAILED)
		beside = mmap((void *)mapping.end, MEBIBYTE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	claim(beside != MAP_FAILED);
	pattern_fill(beside, MEBIBYTE, 1);
	claim(memory_at(block).start == memory_at(beside).start);
	memset(own_data, 1, sizeof own_data);
	memset(own_bss, 1, sizeof own_bss);
	prepare_and_freeze();
	claim(!is_frozen(own_data + sizeof own_data / 2) && !is_frozen(own_bss));
	claim(is_frozen(beside + MEBIBYTE / 2));
	claim(!is_frozen(block) && !is_frozen(&errno));
	for (size_t i = 0; i < 2304; i += 64) /* struct pthread */
		claim(!is_frozen(block + i));
	claim(!is_frozen(&here) && !is_frozen(&freeze) && !is_frozen(small) && !is_frozen(freeze));
	claim(pattern_is(beside, MEBIBYTE, 1));
	/* the kernel writes there when it takes the processor away */
	for (int i = 0; i < 1000; i++) {
		errno = i;
		claim(sched_yield() == 0);
	}
	claim(freeze_dirtied(freeze) == 0);
}
child_test(thread_pages_and_own_data_stay);

/* --- memory that the kernel was told something of --- */

static unsigned char *odd[8];

static unsigned char *odd_region(size_t n_pages, int advice) {
	unsigned char *region = memory_region(n_pages, PROT_READ | PROT_WRITE);

	claim(region != NULL);
	pattern_fill(region, n_pages * PAGE_BYTES, 1);
	if (advice >= 0)
		claim(madvise(region, n_pages * PAGE_BYTES, advice) == 0);
	return region;
}

static void what_has_a_meaning_stays(int index) {
	size_t n = 0, size = 64 * PAGE_BYTES;

	(void)index;
	odd[n++] = odd_region(64, MADV_DONTFORK);
	odd[n++] = odd_region(64, MADV_WIPEONFORK);
	odd[n++] = odd_region(15, -1); /* too small to be worth it */
	odd[n] = odd_region(64, -1);
	claim(mprotect(odd[n++], size, PROT_READ | PROT_EXEC) == 0);
	odd[n] = odd_region(64, -1);
	claim(mprotect(odd[n++], size, PROT_NONE) == 0);
	odd[n] = odd_region(64, -1);
	claim(mmap(odd[n], size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == odd[n]);
	pattern_fill(odd[n++], size, 1);
	prepare_and_freeze();
	for (size_t i = 0; i < n; i++) {
		claim(!is_frozen(odd[i]));
		claim(memory_at(odd[i]).kind != MAPPING_FROZEN);
	}
	claim(mprotect(odd[4], size, PROT_READ) == 0);
	for (size_t i = 0; i < n; i++)
		claim(pattern_is(odd[i], i == 2 ? 15 * PAGE_BYTES : size, 1));
	claim(freeze_facts(freeze).unfrozen >= 3 * size + 15 * PAGE_BYTES);
}
child_test(what_has_a_meaning_stays);

/* --- the file -------------------------------------------------------------------------------- */

static void a_terabyte_costs_its_pages(int index) {
	const size_t n = 100, stride = TERABYTE / n / PAGE_BYTES * PAGE_BYTES;
	unsigned char *reserve = mmap(NULL, TERABYTE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	(void)index;
	claim(reserve != MAP_FAILED);
	prepare_and_freeze();
	before = file_bytes();
	claim(madvise(reserve, TERABYTE, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < n; i++)
		pattern_fill(reserve + i * stride, PAGE_BYTES, i);
	claim(freeze_run(freeze) == 0);
	claim(file_bytes() < before + (n + 64) * PAGE_BYTES);
	claim(freeze_facts(freeze).bytes < before + (n + 64) * PAGE_BYTES);
	for (size_t i = 0; i < n; i++) {
		claim(pattern_is(reserve + i * stride, PAGE_BYTES, i));
		claim(is_frozen(reserve + i * stride));
		claim(pattern_is_zero(reserve + i * stride + PAGE_BYTES, PAGE_BYTES));
	}
	claim(pattern_is_zero(reserve + TERABYTE - PAGE_BYTES, PAGE_BYTES));
	reserve[stride / 2] = 1; /* in a gap */
	claim(reserve[stride / 2 + 1] == 0);
}
child_test(a_terabyte_costs_its_pages);

/* The whole of a large gap becomes fresh memory, with what had been said of it. */
static void a_gap_is_memory_of_its_own(int index) {
	const size_t size = 64 * MEBIBYTE;
	unsigned char *reserve = memory_region(size / PAGE_BYTES, PROT_READ | PROT_WRITE);

	(void)index;
	claim(reserve != NULL);
	claim(madvise(reserve, size, MADV_NOHUGEPAGE) == 0);
	claim(madvise(reserve, size, MADV_DONTDUMP) == 0);
	pattern_fill(reserve, MEBIBYTE, 1);
	pattern_fill(reserve + size - MEBIBYTE, MEBIBYTE, 2);
	prepare_and_freeze();
	claim(is_frozen(reserve) && is_frozen(reserve + size - 1));
	claim(!is_frozen(reserve + size / 2));
	claim(memory_at(reserve + size / 2).kind == MAPPING_ANONYMOUS);
	claim(memory_at(reserve + size / 2).protection == (PROT_READ | PROT_WRITE));
	claim(memory_at(reserve + size / 2).flags == MAPPING_NO_DUMP);
	claim(memory_at(reserve).flags == MAPPING_NO_DUMP);
	claim(pattern_is_zero(reserve + MEBIBYTE, size - 2 * MEBIBYTE));
	claim(pattern_is(reserve, MEBIBYTE, 1));
	claim(pattern_is(reserve + size - MEBIBYTE, MEBIBYTE, 2));
}
child_test(a_gap_is_memory_of_its_own);

static void the_file_is_sealed(int index) {
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	const off_t place = (off_t)(uintptr_t)((uintptr_t)writable & ~(PAGE_BYTES - 1));
	int fd;

	(void)index;
	prepare_and_freeze();
	fd = freeze_file(freeze);
	claim((fcntl(fd, F_GET_SEALS) & seals) == seals);
	claim(pwrite(fd, "x", 1, place) == -1 && errno == EPERM);
	claim(mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	claim(errno == EPERM);
	claim(ftruncate(fd, 0) == -1 && errno == EPERM);
	claim(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place, 4096) == -1);
	claim(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	claim(built_is_intact());
}
child_test(the_file_is_sealed);

/* --- once more ------------------------------------------------------------------------------- */

/* A child as a worker is one: it has not touched these pages, so it reads them from the file. */
static pid_t reader_start(int *ret_release) {
	int ends[2];
	pid_t pid;
	char byte;

	claim(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		leave(built_is_intact() ? 0 : 1);
	}
	claim(pid > 0);
	close(ends[0]);
	*ret_release = ends[1];
	return pid;
}

static bool reader_was_right(pid_t pid, int release) {
	int status;

	close(release);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void a_second_freeze_leaves_the_first_file(int index) {
	int release;
	pid_t reader;
	ino_t first;

	(void)index;
	prepare_and_freeze();
	first = file_number();
	reader = reader_start(&release);
	pattern_fill(writable, 2 * MEBIBYTE, 200);
	pattern_fill(large[3], MEBIBYTE, 201);
	pattern_fill(small[7], small_size(7), 202);
	claim(freeze_dirtied(freeze) >= 3 * MEBIBYTE / PAGE_BYTES);
	claim(freeze_run(freeze) == 0);
	claim(file_number() != first);
	claim(freeze_dirtied(freeze) == 0);
	claim(pattern_is(writable, 2 * MEBIBYTE, 200));
	claim(pattern_is(large[3], MEBIBYTE, 201));
	claim(pattern_is(small[7], small_size(7), 202));
	claim(is_frozen(writable) && is_frozen(large[3]) && is_frozen(small[7]));
	claim(freeze_facts(freeze).freezes == 2);
	claim(freeze_facts(freeze).bytes >= 17 * MEBIBYTE);
	claim(reader_was_right(reader, release));
}
child_test(a_second_freeze_leaves_the_first_file);

/* A second freeze includes the memory that was allocated since the first. */
static void a_second_freeze_takes_what_came_since(int index) {
	unsigned char *since;

	(void)index;
	prepare_and_freeze();
	since = memory_region(64, PROT_READ | PROT_WRITE);
	claim(since != NULL);
	pattern_fill(since, 64 * PAGE_BYTES, 3);
	for (int i = 0; i < 3; i++) {
		claim(freeze_run(freeze) == 0);
		claim(is_frozen(since));
		claim(pattern_is(since, 64 * PAGE_BYTES, 3));
		claim(built_is_intact());
		claim(freeze_dirtied(freeze) == 0);
	}
	claim(freeze_facts(freeze).freezes == 4);
}
child_test(a_second_freeze_takes_what_came_since);

/* --- pages that are written to --------------------------------------------------------------- */

static void pages_are_left_out(int index) {
	const size_t pages[] = { 3, 4, 500, 1023 };
	uint64_t hash;
	int release;
	pid_t reader;

	(void)index;
	prepare_and_freeze();
	reader = reader_start(&release);
	for (size_t i = 0; i < N_OF(pages); i++)
		pattern_fill(writable + pages[i] * PAGE_BYTES, PAGE_BYTES, 300 + i);
	hash = pattern_hash(writable, 4 * MEBIBYTE);
	claim(freeze_dirtied(freeze) == N_OF(pages));
	claim(freeze_leave_out(freeze) == 0);
	claim(freeze_dirtied(freeze) == 0);
	claim(freeze_facts(freeze).holes == N_OF(pages));
	claim(pattern_hash(writable, 4 * MEBIBYTE) == hash);
	for (size_t i = 0; i < N_OF(pages); i++) {
		unsigned char *page = writable + pages[i] * PAGE_BYTES;

		claim(!is_frozen(page) && memory_at(page).kind == MAPPING_ANONYMOUS);
		claim(is_frozen(page - 2 * PAGE_BYTES) || pages[i] == 4);
		pattern_fill(page, PAGE_BYTES, 400 + i);
	}
	claim(is_frozen(writable + 5 * PAGE_BYTES) && is_frozen(writable));
	claim(freeze_dirtied(freeze) == 0);
	claim(pattern_is(writable + 3 * PAGE_BYTES, PAGE_BYTES, 400));
	claim(reader_was_right(reader, release));
}
child_test(pages_are_left_out);

static void write_pages(size_t n) {
	for (size_t i = 0; i < n; i++)
		writable[i * 2 * PAGE_BYTES] ^= 0xff;
}

static void too_many_pages_need_a_freeze(int index) {
	uint64_t hash;

	(void)index;
	prepare_and_freeze();
	write_pages(HOLES_MAX + 1);
	hash = pattern_hash(writable, 4 * MEBIBYTE);
	claim(freeze_leave_out(freeze) == -ENOSPC);
	claim(freeze_facts(freeze).holes == 0);
	claim(freeze_dirtied(freeze) == HOLES_MAX + 1);
	claim(pattern_hash(writable, 4 * MEBIBYTE) == hash);
	claim(freeze_run(freeze) == 0);
	claim(freeze_dirtied(freeze) == 0);
	claim(pattern_hash(writable, 4 * MEBIBYTE) == hash);
	write_pages(HOLES_MAX + 1);
	write_pages(HOLES_MAX + 1);
	claim(pattern_hash(writable, 4 * MEBIBYTE) == hash);
	claim(freeze_leave_out(freeze) == -ENOSPC);
	claim(freeze_run(freeze) == 0);
	write_pages(HOLES_MAX);
	claim(freeze_leave_out(freeze) == 0);
	claim(freeze_facts(freeze).holes == HOLES_MAX);
	claim(freeze_dirtied(freeze) == 0);
	write_pages(HOLES_MAX);
	claim(pattern_hash(writable, 4 * MEBIBYTE) == hash);
}
child_test(too_many_pages_need_a_freeze);

/* --- what fork itself writes to -------------------------------------------------------------- */

static size_t n_touched, n_handled;

static void touch_at_fork(void) {
	for (size_t i = 0; i < n_touched; i++)
		writable[(10 + 3 * i) * PAGE_BYTES] = (unsigned char)n_handled;
	n_handled++;
}

static void fork_often(int n) {
	for (int i = 0; i < n; i++)
		claim(trial_fork(NULL) == 0);
}

static void handlers_of_fork_are_settled(int index) {
	(void)index;
	claim(pthread_atfork(touch_at_fork, NULL, NULL) == 0);
	prepare_and_freeze();
	n_touched = 5;
	claim(freeze_settle(freeze) == 0);
	claim(n_handled > 0);
	claim(freeze_facts(freeze).holes >= 5 && freeze_facts(freeze).holes <= HOLES_MAX);
	fork_often(1000);
	claim(n_handled > 1000);
	claim(writable[10 * PAGE_BYTES] == (unsigned char)(n_handled - 1));
	claim(freeze_dirtied(freeze) == 0);
	claim(pattern_is(readable, MEBIBYTE, 101));
}
child_test(handlers_of_fork_are_settled);

/* One page more at each fork: the trials see only some of them. */
static void touch_another_at_fork(void) {
	writable[n_handled++ * PAGE_BYTES] = 1;
}

static void a_page_more_at_each_fork(int index) {
	(void)index;
	prepare_and_freeze();
	claim(pthread_atfork(touch_another_at_fork, NULL, NULL) == 0);
	claim(freeze_settle(freeze) == 0);
	fork_often(20);
	claim(freeze_dirtied(freeze) == 20);
	claim(freeze_leave_out(freeze) == 0);
	claim(freeze_dirtied(freeze) == 0);
	fork_often(HOLES_MAX);
	claim(freeze_leave_out(freeze) == -ENOSPC);
	claim(freeze_run(freeze) == 0);
	claim(freeze_dirtied(freeze) == 0);
	for (size_t i = 0; i < n_handled; i++)
		claim(writable[i * PAGE_BYTES] == 1);
}
child_test(a_page_more_at_each_fork);

static void too_many_pages_are_named(int index) {
	(void)index;
	claim(pthread_atfork(touch_at_fork, NULL, NULL) == 0);
	prepare_and_freeze();
	n_touched = HOLES_MAX + 1;
	claim(freeze_settle(freeze) == -ENOSPC);
	claim(strstr(freeze_text(freeze), "pthread_atfork") != NULL);
	claim(writable[10 * PAGE_BYTES] == (unsigned char)(n_handled - 1));
	n_touched = 0;
	claim(freeze_run(freeze) == 0);
	claim(freeze_settle(freeze) == 0);
	fork_often(100);
	claim(freeze_dirtied(freeze) == 0);
}
child_test(too_many_pages_are_named);

/* Threads that have come and gone leave arenas, whose locks fork(2) of the C library takes. */
static void *allocate(void *argument) {
	for (size_t i = 0; i < 1000; i++) {
		unsigned char *block = malloc(1000 + i);

		claim(block != NULL);
		pattern_fill(block, 1000, i);
		if (i % 2 == 0)
			free(block);
	}
	return argument;
}

static void await_alone(void) {
	struct stat status;

	do /* the kernel may bury a thread a little after pthread_join(3) has seen its end */
		claim(stat("/proc/self/task", &status) == 0 && sched_yield() == 0);
	while (status.st_nlink > 3);
}

static void arenas_of_threads_are_settled(int index) {
	pthread_t threads[8];

	(void)index;
	for (size_t i = 0; i < N_OF(threads); i++)
		claim(pthread_create(&threads[i], NULL, allocate, NULL) == 0);
	for (size_t i = 0; i < N_OF(threads); i++)
		claim(pthread_join(threads[i], NULL) == 0);
	await_alone();
	prepare_and_freeze();
	claim(freeze_settle(freeze) == 0);
	fork_often(1000);
	claim(freeze_dirtied(freeze) == 0);
	claim(built_is_intact());
}
child_test(arenas_of_threads_are_settled);

/* --- huge pages ------------------------------------------------------------------------------ */

static void huge_pages_keep_bytes_and_holes(int index) {
	unsigned char *reserve = memory_region(64 * MEBIBYTE / PAGE_BYTES, PROT_READ | PROT_WRITE);
	size_t before, n;

	(void)index;
	claim(reserve != NULL);
	for (size_t i = 0; i < 60 * MEBIBYTE; i += MEBIBYTE) /* so that no gap is large */
		pattern_fill(reserve + i, PAGE_BYTES, i);
	pattern_fill(reserve + 60 * MEBIBYTE, 4 * MEBIBYTE, 1);
	prepare_and_freeze();
	before = file_bytes();
	n = collapse_file(freeze_file(freeze));
	claim(file_bytes() == before); /* before holes are read, which gives them pages */
	claim(built_is_intact());
	for (size_t i = 0; i < 60 * MEBIBYTE; i += MEBIBYTE)
		claim(pattern_is(reserve + i, PAGE_BYTES, i) &&
		      pattern_is_zero(reserve + i + PAGE_BYTES, MEBIBYTE - PAGE_BYTES));
	claim(pattern_is(reserve + 60 * MEBIBYTE, 4 * MEBIBYTE, 1));
	claim(freeze_dirtied(freeze) == 0);
	if (feature_hidden(FEATURE_COLLAPSE))
		claim(n == 0);
	else if (n == 0)
		skip("this kernel makes no huge pages of a memfd");
	writable[5] ^= 0xff;
	claim(freeze_dirtied(freeze) == 1);
	claim(freeze_leave_out(freeze) == 0);
	writable[5] ^= 0xff;
	claim(built_is_intact());
}
child_test(huge_pages_keep_bytes_and_holes);

/* --- refusals -------------------------------------------------------------------------------- */

static void *wait_for_ever(void *argument) {
	for (;;)
		pause();
	return argument;
}

static void cause_thread(void) {
	pthread_t thread;

	claim(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
}

static void cause_lock(void) {
	if (mlock(large[0], MEBIBYTE) < 0)
		skip("memory may not be locked here");
}

static void cause_lock_of_all(void) {
	if (mlockall(MCL_CURRENT) < 0)
		skip("not all memory may be locked here");
}

static void cause_userfaultfd(void) {
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)writable, MEBIBYTE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (fd < 0)
		skip("no userfaultfd here");
	claim(ioctl(fd, UFFDIO_API, &api) == 0);
	claim(ioctl(fd, UFFDIO_REGISTER, &range) == 0);
}

static void cause_guard(void) {
	if (!memory_guard(writable + MEBIBYTE, PAGE_BYTES))
		skip("no guard regions here (6.13)");
	if (feature_hidden(FEATURE_PAGEMAP_SCAN) || !memory_guard_is_told())
		skip("this kernel does not tell guard regions (6.15)");
}

static void cause_io_uring(void) {
	struct io_uring_params params = { .flags = 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		skip("no io_uring here");
	claim(mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING) !=
	      MAP_FAILED);
}

/* Buffers that the kernel has pinned, and the ring itself not mapped (any more). */
static void cause_pinned(void) {
	struct io_uring_params params = { .flags = 0 };
	struct iovec buffer = { writable, MEBIBYTE };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		skip("no io_uring here");
	claim(syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &buffer, 1) == 0);
}

static void cause_file_size(void) {
	const struct rlimit limit = { MEBIBYTE, MEBIBYTE };

	claim(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static const struct {
	const char *said;
	void (*cause)(void);
} refusals[] = {
	{ "threads run", cause_thread },    { "is locked", cause_lock },
	{ "is locked", cause_lock_of_all }, { "userfaultfd watches", cause_userfaultfd },
	{ "guard regions", cause_guard },   { "io_uring is open", cause_io_uring },
	{ "pinned", cause_pinned },         { "RLIMIT_FSIZE", cause_file_size },
};

static void a_reason_refuses(int index) {
	prepare();
	claim(freeze_possible(freeze) > 0);
	refusals[index].cause();
	claim(freeze_possible(freeze) == -EBUSY);
	claim(strstr(freeze_text(freeze), refusals[index].said) != NULL);
	claim(freeze_file(freeze) == -1);
	claim(memory_at(large[0]).kind != MAPPING_FROZEN);
}
child_test(a_reason_refuses);

/* Where the kernel does not tell: what cannot be read stays as it is, and is said. */
static void an_untold_guard_stays(int index) {
	(void)index;
	prepare();
	if (!memory_guard(writable + MEBIBYTE, PAGE_BYTES))
		skip("no guard regions here (6.13)");
	if (freeze_possible(freeze) == -EBUSY)
		skip("this kernel tells guard regions (6.15)");
	claim(freeze_run(freeze) == 0);
	claim(strstr(freeze_text(freeze), "cannot be read") != NULL);
	claim(!memory_is_readable(writable + MEBIBYTE));
	claim(pattern_is(writable, MEBIBYTE, 100));
	claim(!is_frozen(writable) && is_frozen(large[0]));
	claim(pattern_is(readable, MEBIBYTE, 101));
}
child_test(an_untold_guard_stays);

/* --- the soft limit of files ----------------------------------------------------------------- */

static volatile sig_atomic_t n_signals;

static void count_signal(int signal) {
	(void)signal;
	n_signals++;
}

static void a_soft_file_size_limit_is_put_back(int index) {
	const struct sigaction action = { .sa_handler = count_signal };
	struct rlimit limit;
	sigset_t pending;

	(void)index;
	claim(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	if (limit.rlim_max != RLIM_INFINITY)
		skip("RLIMIT_FSIZE is limited here");
	limit.rlim_cur = MEBIBYTE;
	claim(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	claim(sigaction(SIGXFSZ, &action, NULL) == 0);
	prepare_and_freeze();
	claim(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	claim(limit.rlim_cur == MEBIBYTE && limit.rlim_max == RLIM_INFINITY);
	claim(n_signals == 0);
	claim(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
	claim(built_is_intact() && is_frozen(writable));
	claim(freeze_run(freeze) == 0);
	claim(n_signals == 0);
	claim(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == MEBIBYTE);
}
child_test(a_soft_file_size_limit_is_put_back);

/* --- signals --------------------------------------------------------------------------------- */

static void the_signal_mask_is_put_back(int index) {
	const struct sigaction action = { .sa_handler = count_signal };
	sigset_t mask, before, after;

	(void)index;
	claim(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGUSR1) == 0);
	claim(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
	claim(sigaction(SIGUSR2, &action, NULL) == 0);
	prepare_and_freeze();
	writable[0] ^= 0xff;
	claim(freeze_settle(freeze) == 0 && freeze_leave_out(freeze) == 0);
	before = mask;
	claim(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
	claim(sigismember(&after, SIGUSR1) == sigismember(&before, SIGUSR1));
	claim(!sigismember(&after, SIGUSR2) && !sigismember(&after, SIGTERM));
	claim(raise(SIGUSR2) == 0 && n_signals == 1);
}
child_test(the_signal_mask_is_put_back);

/* --------------------------------------------------------------------------------------------- */

#define BODY(name)                                                                                 \
	{ #name, name }
static const struct {
	const char *name;
	void (*run)(int index);
} bodies[] = {
	BODY(every_byte_is_as_before),
	BODY(what_was_built_is_frozen),
	BODY(the_heap_goes_on),
	BODY(thread_pages_and_own_data_stay),
	BODY(what_has_a_meaning_stays),
	BODY(a_terabyte_costs_its_pages),
	BODY(a_gap_is_memory_of_its_own),
	BODY(the_file_is_sealed),
	BODY(a_second_freeze_leaves_the_first_file),
	BODY(a_second_freeze_takes_what_came_since),
	BODY(pages_are_left_out),
	BODY(too_many_pages_need_a_freeze),
	BODY(handlers_of_fork_are_settled),
	BODY(a_page_more_at_each_fork),
	BODY(too_many_pages_are_named),
	BODY(arenas_of_threads_are_settled),
	BODY(huge_pages_keep_bytes_and_holes),
	BODY(a_reason_refuses),
	BODY(an_untold_guard_stays),
	BODY(a_soft_file_size_limit_is_put_back),
	BODY(the_signal_mask_is_put_back),
};

static int run_body(const char *name, const char *index) {
	for (size_t i = 0; i < N_OF(bodies); i++)
		if (strcmp(bodies[i].name, name) == 0) {
			bodies[i].run((int)number_at(index, NULL));
			leave(0);
		}
	return 1;
}

static void add_bytes(TCase *test_case) {
	tcase_add_test(test_case, test_every_byte_is_as_before);
	tcase_add_test(test_case, test_what_was_built_is_frozen);
	tcase_add_test(test_case, test_the_heap_goes_on);
	tcase_add_test(test_case, test_thread_pages_and_own_data_stay);
	tcase_add_test(test_case, test_what_has_a_meaning_stays);
	tcase_add_test(test_case, test_a_terabyte_costs_its_pages);
	tcase_add_test(test_case, test_a_gap_is_memory_of_its_own);
	tcase_add_test(test_case, test_the_file_is_sealed);
	tcase_add_test(test_case, test_a_second_freeze_leaves_the_first_file);
	tcase_add_test(test_case, test_a_second_freeze_takes_what_came_since);
}

int main(int argc, char **argv) {
	TCase *test_case;

	if (argc == 3)
		return run_body(argv[1], argv[2]);
	test_case = fixture_case("freeze");
	add_bytes(test_case);
	tcase_add_test(test_case, test_pages_are_left_out);
	tcase_add_test(test_case, test_too_many_pages_need_a_freeze);
	tcase_add_test(test_case, test_handlers_of_fork_are_settled);
	tcase_add_test(test_case, test_a_page_more_at_each_fork);
	tcase_add_test(test_case, test_too_many_pages_are_named);
	tcase_add_test(test_case, test_arenas_of_threads_are_settled);
	tcase_add_test(test_case, test_huge_pages_keep_bytes_and_holes);
	tcase_add_loop_test(test_case, test_a_reason_refuses, 0, (int)N_OF(refusals));
	tcase_add_test(test_case, test_an_untold_guard_stays);
	tcase_add_test(test_case, test_a_soft_file_size_limit_is_put_back);
	tcase_add_test(test_case, test_the_signal_mask_is_put_back);
	return fixture_run("freeze", test_case);
}
