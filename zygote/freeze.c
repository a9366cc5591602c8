/* SPDX-License-Identifier: MIT
 *
 * What is frozen, and what never is:
 *
 *     frozen    private memory with at least FREEZE_MIN_BYTES of its own pages: heaps, maps, the
 *               data of programs and libraries, read-only or not
 *     not       stacks; memory that is shared, executable or unreadable; memory that the kernel
 *               or madvise(2) treats specially (MAPPING_ODD); the pages of the thread control block
 *               (the kernel writes to its rseq area at each preemption, and errno lies there); our
 *               own data and the zygote's tables; small mappings, because copying one at a fork is
 *               cheaper than the faults of a frozen one
 *
 * A large untouched gap in a mapping becomes fresh anonymous memory instead of a hole in the file:
 * a worker that writes to a hole pays for the page twice, because the file gets one too.
 *
 * Between the copying of a chunk and its mapping, nothing may write to it. The code that runs then
 * is on the main stack, which is never frozen; its variables lie in struct freeze; and errno has
 * been left out.
 */
#include "zygote/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "zygote/aside.h"
#include "zygote/copier.h"
#include "zygote/facts.h"
#include "zygote/mapping.h"
#include "zygote/pages.h"
#include "zygote/trial.h"

#define FREEZE_MIN_BYTES ((uint64_t)64 << 10)
/* All bytes of a private mapping of a file have to be copied, so a large one of which few pages are
 * ours is not frozen. */
#define FREEZE_FILE_BYTES ((uint64_t)16 << 20)
#define FREEZE_FILE_SHARE 8
/* A gap is large if it has this size and this share of its mapping. */
#define FREEZE_GAP_BYTES    ((uintptr_t)2 << 20)
#define FREEZE_GAP_SHARE    16
#define FREEZE_MAPPINGS     65536 /* vm.max_map_count */
#define FREEZE_RANGES       16384
#define FREEZE_HOLES        64
#define FREEZE_RUNS         64
#define FREEZE_THREAD_BYTES ((uintptr_t)64 << 10)
#define SETTLE_ROUNDS       4
#define SETTLE_FORKS        2
#define COREDUMP_PRIVATE    4 /* bit 2 of /proc/PID/coredump_filter: private mappings of files */

struct range {
	uintptr_t start, end;
	int protection;
	unsigned flags; /* enum mapping_flag */
};

struct freeze {
	struct pages pages;
	int memfd;      /* -1: nothing is frozen */
	uint64_t inode; /* of that */
	struct freeze_facts facts;
	char text[512];

	struct range ranges[FREEZE_RANGES];
	size_t n_ranges;
	size_t n_holes;
	uintptr_t holes[FREEZE_HOLES];
	uint8_t contents[FREEZE_HOLES][PAGE_BYTES];

	size_t n_mappings;
	struct mapping mappings[FREEZE_MAPPINGS];
};

/* The two mappings that hold these variables are our own data, which the zygote writes to. */
static char own_data[1] = { 1 };
static char own_bss[1];

extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));

/* Puts the reason into the text and evaluates to `r`. */
#define refuse(freeze, r, ...)                                                                     \
	((void)snprintf((freeze)->text, sizeof freeze->text, __VA_ARGS__), error_origin(r))

struct freeze *freeze_new(void) {
	struct freeze *freeze = mmap(NULL, sizeof *freeze, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	/* With MADV_DONTFORK it is neither frozen, nor merged with a frozen neighbour, nor a cost
	 * of a fork. */
	if (freeze == MAP_FAILED || madvise(freeze, sizeof *freeze, MADV_DONTFORK) < 0)
		return NULL;
	freeze->memfd = -1;
	if (pages_open(&freeze->pages) < 0)
		return NULL;
	freeze->pages.pagemap = aside_consume(freeze->pages.pagemap);
	return freeze;
}

/* --- what qualifies ------------------------------------------------------------------------ */

static bool mapping_has(const struct mapping *mapping, const void *address) {
	return (uintptr_t)address >= mapping->start && (uintptr_t)address < mapping->end;
}

static bool is_in_use(const struct mapping *mapping) {
	const char here = 0;

	return mapping->kind == MAPPING_STACK || mapping_has(mapping, &here) ||
	       mapping_has(mapping, own_data) || mapping_has(mapping, own_bss);
}

static bool qualifies(const struct mapping *mapping) {
	uint64_t size = mapping->end - mapping->start;

	if (mapping->flags & (MAPPING_SHARED | MAPPING_ODD | MAPPING_KEYED) ||
	    mapping->kind == MAPPING_SPECIAL || !(mapping->protection & PROT_READ) ||
	    mapping->protection & PROT_EXEC || is_in_use(mapping))
		return false;
	if (mapping->kind == MAPPING_FROZEN)
		return true;
	if (mapping->anonymous < FREEZE_MIN_BYTES)
		return false;
	return mapping->kind != MAPPING_FILE || size <= FREEZE_FILE_BYTES ||
	       mapping->anonymous * FREEZE_FILE_SHARE >= size;
}

static void take_mapping(void *context, const struct mapping *mapping) {
	struct freeze *freeze = context;

	/* Further mappings stay as they are. */
	if (freeze->n_mappings == FREEZE_MAPPINGS)
		return;
	freeze->mappings[freeze->n_mappings] = *mapping;
	/* The name proves nothing: the image may have a memfd of its own with that name. */
	if (mapping->kind == MAPPING_FROZEN && mapping->inode != freeze->inode)
		freeze->mappings[freeze->n_mappings].kind = MAPPING_FILE;
	freeze->n_mappings++;
}

static int collect(struct freeze *freeze) {
	freeze->n_mappings = 0;
	return error_trace(mapping_each(take_mapping, freeze));
}

/* --- what stands against it ---------------------------------------------------------------- */

static int check_process(struct freeze *freeze) {
	struct rlimit limit;

	if (__asan_init || __tsan_init || __msan_init)
		return refuse(freeze, -EBUSY,
			      "a sanitizer is in this program: its shadow memory cannot be moved");
	if (facts_threads_run())
		return refuse(freeze, -EBUSY,
			      "threads run: one of them may write while memory is moved; stop them "
			      "before the preload returns");
	if (process_status(0, "VmPin:") > 0)
		return refuse(freeze, -EBUSY,
			      "the kernel has pinned %lu KiB of memory for a device or io_uring: "
			      "register buffers in initialize",
			      (unsigned long)process_status(0, "VmPin:"));
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY &&
	    limit.rlim_max < (rlim_t)COPIER_FILE_SIZE)
		return refuse(freeze, -EBUSY,
			      "RLIMIT_FSIZE is %llu, but a freeze needs a sparse file as large "
			      "as the address space; raise the hard limit",
			      (unsigned long long)limit.rlim_max);
	return 0;
}

static int check_mapping(struct freeze *freeze, const struct mapping *mapping) {
	const char *name = mapping->name[0] ? mapping->name : "anonymous memory";

	if (strstr(mapping->name, "[io_uring]"))
		return refuse(freeze, -EBUSY,
			      "an io_uring is open: the kernel may write to memory of the image; "
			      "open it in initialize");
	if (mapping->flags & MAPPING_USERFAULTFD)
		return refuse(freeze, -EBUSY,
			      "userfaultfd watches the memory at %#lx (%s), and would lose "
			      "track of it; register it in initialize",
			      mapping->start, name);
	if (mapping->flags & MAPPING_LOCKED)
		return refuse(
		    freeze, -EBUSY,
		    "the memory at %#lx (%s) is locked; call mlock() in initialize, if workers "
		    "need it",
		    mapping->start, name);
	if (qualifies(mapping) && pages_have_guard(&freeze->pages, mapping->start, mapping->end))
		return refuse(
		    freeze, -EBUSY,
		    "the memory at %#lx (%s) has guard regions (MADV_GUARD_INSTALL), which "
		    "cannot be moved",
		    mapping->start, name);
	return 0;
}

int64_t freeze_possible(struct freeze *freeze) {
	int64_t bytes = 0;
	int r = check_process(freeze);

	if (r < 0)
		return r;
	r = collect(freeze);
	if (r < 0)
		return refuse(freeze, r, "/proc/self/smaps cannot be read: %s",
			      strerrordesc_np(-r));
	for (size_t i = 0; i < freeze->n_mappings; i++) {
		r = check_mapping(freeze, &freeze->mappings[i]);
		if (r < 0)
			return r;
		if (qualifies(&freeze->mappings[i]))
			bytes += (int64_t)freeze->mappings[i].anonymous;
	}
	return bytes;
}

/* --- ranges -------------------------------------------------------------------------------- */

static bool range_add(struct freeze *freeze, const struct mapping *mapping, uintptr_t start,
		      uintptr_t end) {
	if (freeze->n_ranges == FREEZE_RANGES)
		return false;
	freeze->ranges[freeze->n_ranges++] = (struct range){
		.start = start,
		.end = end,
		.protection = mapping->protection,
		.flags = mapping->flags,
	};
	return true;
}

static void range_remove_page(struct freeze *freeze, uintptr_t page) {
	for (size_t i = 0; i < freeze->n_ranges; i++) {
		struct range *range = &freeze->ranges[i];

		if (page < range->start || page >= range->end)
			continue;
		if (page == range->start) {
			range->start += PAGE_BYTES;
			return;
		}
		if (page + PAGE_BYTES == range->end) {
			range->end = page;
			return;
		}
		if (freeze->n_ranges == FREEZE_RANGES)
			return;
		memmove(range + 2, range + 1, (freeze->n_ranges - i - 1) * sizeof *range);
		range[1] = range[0];
		range[0].end = page;
		range[1].start = page + PAGE_BYTES;
		freeze->n_ranges++;
		return;
	}
}

static struct mapping range_mapping(const struct range *range) {
	return (struct mapping){
		.start = range->start,
		.end = range->end,
		.protection = range->protection,
		.flags = range->flags,
	};
}

/* --- moving -------------------------------------------------------------------------------- */

struct move {
	struct freeze *freeze;
	struct copier copier;
	const struct mapping *mapping;
};

/* The bounds of what glibc and the kernel may write to at any time: errno and the thread control
 * block, which holds the rseq area. */
static struct page_run thread_pages(void) {
	uintptr_t block = (uintptr_t)__builtin_thread_pointer(), low = block;
	const uintptr_t variables[] = { (uintptr_t)&errno, (uintptr_t)error_trail() };

	/* On x86-64 thread-local variables lie below the block; those of dlopen'ed libraries lie
	 * elsewhere. The error trail is a struct that ends with its text, so one page more is
	 * left out. */
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		if (variables[i] < low && block - variables[i] < FREEZE_THREAD_BYTES)
			low = variables[i];
	/* struct pthread has 2,304 bytes in glibc 2.36 */
	return (struct page_run){ (low & ~(PAGE_BYTES - 1)) - PAGE_BYTES,
				  (block + 2 * PAGE_BYTES - 1) & ~(PAGE_BYTES - 1) };
}

static int move_range(struct move *move, uintptr_t start, uintptr_t end) {
	struct freeze *freeze = move->freeze;
	uint64_t before = move->copier.copied;
	int r;

	if (start >= end)
		return 0;
	if (!range_add(freeze, move->mapping, start, end))
		return error_origin(-ENOSPC);
	r = copier_move(&move->copier, move->mapping, start, end);
	if (r == 0)
		return 0;
	/* A range is moved chunk by chunk; chunks that are mapped from the file by now stay so, but
	 * the range is not watched. */
	freeze->n_ranges--;
	move->copier.copied = before;
	return r;
}

/* A gap that has never been touched needs no file. */
static int move_gap(const struct mapping *mapping, uintptr_t start, uintptr_t end) {
	void *map = mmap((void *)start, end - start, mapping->protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return error_origin(-errno);
	if (mapping->flags & MAPPING_NO_DUMP)
		(void)madvise(map, end - start, MADV_DONTDUMP);
	return 0;
}

/* Moves what lies between the large gaps in [start, end) of anonymous memory. */
static int move_touched(struct move *move, uintptr_t start, uintptr_t end) {
	uintptr_t share = (end - start) / FREEZE_GAP_SHARE;
	uintptr_t gap = share > FREEZE_GAP_BYTES ? share : FREEZE_GAP_BYTES;
	uintptr_t from = start, seen = start, at = start;
	struct page_run runs[FREEZE_RUNS];
	int r = 0;

	while (at < end && r == 0) {
		int n = pages_private(&move->freeze->pages, at, end, runs, FREEZE_RUNS, &at);

		if (n < 0)
			return error_trace(n);
		for (int i = 0; i < n && r == 0; i++) {
			if (runs[i].start - seen >= gap) {
				r = move_range(move, from, seen);
				if (r == 0)
					r = move_gap(move->mapping, seen, runs[i].start);
				from = runs[i].start;
			}
			seen = runs[i].end;
		}
	}
	if (r != 0 || end - seen < gap)
		return r != 0 ? r : move_range(move, from, end);
	r = move_range(move, from, seen);
	return r != 0 ? r : move_gap(move->mapping, seen, end);
}

static int move_part(struct move *move, uintptr_t start, uintptr_t end) {
	if (start >= end)
		return 0;
	if (move->mapping->kind == MAPPING_ANONYMOUS || move->mapping->kind == MAPPING_HEAP)
		return move_touched(move, start, end);
	return move_range(move, start, end);
}

/* Moves everything except the thread's pages. */
static int move_mapping(struct move *move, const struct mapping *mapping) {
	struct page_run out = thread_pages();
	int r;

	move->mapping = mapping;
	if (out.end <= mapping->start || out.start >= mapping->end)
		return move_part(move, mapping->start, mapping->end);
	r = move_part(move, mapping->start, out.start);
	return r != 0 ? r : move_part(move, out.end, mapping->end);
}

static int move_all(struct move *move) {
	struct freeze *freeze = move->freeze;

	for (size_t i = 0; i < freeze->n_mappings; i++) {
		const struct mapping *mapping = &freeze->mappings[i];
		size_t n_before = freeze->n_ranges;
		int r;

		if (!qualifies(mapping)) {
			if (!(mapping->flags & MAPPING_SHARED))
				freeze->facts.unfrozen += mapping->anonymous;
			continue;
		}
		r = move_mapping(move, mapping);
		if (r < 0)
			return refuse(freeze, r, "moving the memory at %#lx (%s) failed: %s",
				      mapping->start, mapping->name, strerrordesc_np(-r));
		freeze->facts.mappings += freeze->n_ranges > n_before;
		if (r == COPIER_E_UNREADABLE)
			(void)snprintf(freeze->text, sizeof freeze->text,
				       "part of the memory at %#lx (%s) cannot be read, and is not "
				       "frozen",
				       mapping->start, mapping->name);
	}
	return 0;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int file_new(void) {
	return error_trace(aside_consume(fd_memfd(MAPPING_FROZEN_NAME, (size_t)COPIER_FILE_SIZE)));
}

/* The soft limit would prevent making and writing the file; freeze_possible() has checked the
 * hard one. */
static void file_limit_lift(struct rlimit *ret_before) {
	struct rlimit high;

	if (getrlimit(RLIMIT_FSIZE, ret_before) < 0)
		*ret_before = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	high = (struct rlimit){ ret_before->rlim_max, ret_before->rlim_max };
	(void)setrlimit(RLIMIT_FSIZE, &high);
}

/* Pages that were not written to belong to a file now; without this a core file would lack them. */
static void dump_private_files(void) {
	cleanup_close int fd = open("/proc/self/coredump_filter", O_RDWR | O_CLOEXEC);
	char text[32] = "";
	unsigned filter;

	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%x", &filter) != 1)
		return;
	(void)snprintf(text, sizeof text, "%#x", filter | COREDUMP_PRIVATE);
	(void)pwrite(fd, text, strlen(text), 0);
}

static int seal(struct freeze *freeze) {
	int r = fd_seal(freeze->memfd, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);

	if (r == 0 || freeze->text[0])
		return error_trace(r);
	return refuse(freeze, r, "the file of the image cannot be sealed: %s", strerrordesc_np(-r));
}

static int run(struct freeze *freeze) {
	struct move move = {
		.freeze = freeze,
		.copier = { .pages = &freeze->pages, .previous = freeze->memfd },
	};
	unsigned freezes = freeze->facts.freezes;
	int sealed;
	struct stat status;
	int r = collect(freeze);

	move.copier.memfd = r < 0 ? r : file_new();
	if (move.copier.memfd < 0)
		return refuse(freeze, move.copier.memfd, "no file for the image: %s",
			      strerrordesc_np(-move.copier.memfd));
	freeze->facts = (struct freeze_facts){ .freezes = freezes + 1 };
	freeze->n_ranges = freeze->n_holes = 0;
	r = move_all(&move);
	fd_close(freeze->memfd);
	freeze->memfd = move.copier.memfd;
	if (fstat(freeze->memfd, &status) == 0)
		freeze->inode = status.st_ino;
	freeze->facts.bytes = move.copier.copied;
	sealed = seal(freeze); /* even after a failure: what is mapped must not change */
	return r < 0 ? r : sealed;
}

int freeze_run(struct freeze *freeze) {
	nsec_t before = clock_now();
	struct rlimit limit;
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	dump_private_files();
	freeze->text[0] = '\0';
	file_limit_lift(&limit);
	r = run(freeze);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	freeze->facts.took_ns = clock_now() - before;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return error_trace(r);
}

/* --- pages that are written to all the same ------------------------------------------------ */

/* Calls `take` for each page of a range that was written to since; -ENOSPC if it returns false. */
static int each_dirty(struct freeze *freeze, bool (*take)(struct freeze *freeze, uintptr_t page),
		      uint64_t *ret_n) {
	struct page_run runs[FREEZE_RUNS];

	*ret_n = 0;
	for (size_t i = 0; i < freeze->n_ranges; i++) {
		uintptr_t at = freeze->ranges[i].start, end = freeze->ranges[i].end;

		while (at < end) {
			int n = pages_private(&freeze->pages, at, end, runs, FREEZE_RUNS, &at);

			if (n < 0)
				return error_trace(n);
			for (int j = 0; j < n; j++)
				for (uintptr_t page = runs[j].start; page < runs[j].end;
				     page += PAGE_BYTES, ++*ret_n)
					if (take && !take(freeze, page))
						return error_origin(-ENOSPC);
		}
	}
	return 0;
}

static bool hole_take(struct freeze *freeze, uintptr_t page) {
	if (freeze->n_holes == FREEZE_HOLES)
		return false;
	memcpy(freeze->contents[freeze->n_holes], (const void *)page, PAGE_BYTES);
	freeze->holes[freeze->n_holes++] = page;
	return true;
}

static struct range range_of(const struct freeze *freeze, uintptr_t page) {
	for (size_t i = 0; i < freeze->n_ranges; i++)
		if (page >= freeze->ranges[i].start && page < freeze->ranges[i].end)
			return freeze->ranges[i];
	return (struct range){ .protection = PROT_READ | PROT_WRITE };
}

static int hole_make(struct freeze *freeze, size_t index) {
	uintptr_t page = freeze->holes[index];
	const struct range range = range_of(freeze, page);
	void *map = mmap((void *)page, PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (map == MAP_FAILED)
		return error_origin(-ENOTRECOVERABLE);
	memcpy(map, freeze->contents[index], PAGE_BYTES);
	if (!(range.protection & PROT_WRITE))
		(void)mprotect(map, PAGE_BYTES, range.protection);
	if (range.flags & MAPPING_NO_DUMP)
		(void)madvise(map, PAGE_BYTES, MADV_DONTDUMP);
	range_remove_page(freeze, page);
	return 0;
}

/* Finds what is left of a range: an atfork handler may have unmapped part of it, changed its
 * protection, or mapped something else in its place. */
static bool range_intersect(struct freeze *freeze, const struct range *range) {
	for (size_t i = 0; i < freeze->n_mappings; i++) {
		const struct mapping *mapping = &freeze->mappings[i];
		uintptr_t start = mapping->start > range->start ? mapping->start : range->start;
		uintptr_t end = mapping->end < range->end ? mapping->end : range->end;

		if (mapping->kind == MAPPING_FROZEN && start < end &&
		    !range_add(freeze, mapping, start, end))
			return false;
	}
	return true;
}

static int ranges_refresh(struct freeze *freeze) {
	size_t n = freeze->n_ranges;
	int r = collect(freeze);

	if (r < 0)
		return error_trace(r);
	/* first behind the old ones, then over them */
	for (size_t i = 0; i < n; i++) {
		const struct range range = freeze->ranges[i];

		if (!range_intersect(freeze, &range)) {
			freeze->n_ranges = n;
			return error_origin(-ENOSPC);
		}
	}
	freeze->n_ranges -= n;
	memmove(freeze->ranges, freeze->ranges + n, freeze->n_ranges * sizeof freeze->ranges[0]);
	return 0;
}

/* An anon_vma stays with a mapping, and with both halves of a split one; only a new mapping
 * has none. So all ranges are mapped again, and the pages that were written to are put back
 * as holes. */
static int leave_out(struct freeze *freeze, uint64_t *ret_n) {
	size_t n_before = freeze->n_holes;
	int r = ranges_refresh(freeze);

	*ret_n = 0;
	if (r == 0)
		r = each_dirty(freeze, hole_take, ret_n);
	if (r == 0 && freeze->n_ranges + *ret_n > FREEZE_RANGES)
		r = error_origin(-ENOSPC);
	if (r < 0) {
		freeze->n_holes = n_before;
		return r;
	}
	if (*ret_n == 0)
		return 0;
	for (size_t i = 0; i < freeze->n_ranges && r == 0; i++) {
		struct mapping mapping = range_mapping(&freeze->ranges[i]);

		if (mapping.start < mapping.end)
			r = copier_map(freeze->memfd, &mapping, mapping.start, mapping.end);
	}
	for (size_t i = n_before; i < freeze->n_holes && r == 0; i++)
		r = hole_make(freeze, i);
	return r < 0 ? error_trace(-ENOTRECOVERABLE) : 0;
}

static int leave_out_blocked(struct freeze *freeze, uint64_t *ret_n) {
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	r = leave_out(freeze, ret_n);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	freeze->facts.holes = (unsigned)freeze->n_holes;
	return r;
}

int freeze_settle(struct freeze *freeze) {
	uint64_t n = 1;
	int r = 0;

	for (int round = 0; round < SETTLE_ROUNDS && n > 0 && r == 0; round++) {
		for (int i = 0; i < SETTLE_FORKS && r == 0; i++)
			r = trial_fork(NULL);
		if (r == 0)
			r = leave_out_blocked(freeze, &n);
	}
	if (r == -ENOSPC)
		return refuse(freeze, r,
			      "fork writes to more than %d pages of the image; have its "
			      "pthread_atfork() handlers write to fewer",
			      FREEZE_HOLES);
	return r;
}

int freeze_leave_out(struct freeze *freeze) {
	uint64_t n;

	return leave_out_blocked(freeze, &n);
}

uint64_t freeze_dirtied(struct freeze *freeze) {
	uint64_t n;

	(void)each_dirty(freeze, NULL, &n);
	return n;
}

/* ------------------------------------------------------------------------------------------- */

int freeze_file(const struct freeze *freeze) {
	return freeze->memfd;
}

const char *freeze_text(const struct freeze *freeze) {
	return freeze->text;
}

struct freeze_facts freeze_facts(const struct freeze *freeze) {
	return freeze->facts;
}

bool freeze_range(const struct freeze *freeze, size_t index, uintptr_t *ret_start,
		  uintptr_t *ret_end) {
	if (index >= freeze->n_ranges)
		return false;
	*ret_start = freeze->ranges[index].start;
	*ret_end = freeze->ranges[index].end;
	return true;
}
