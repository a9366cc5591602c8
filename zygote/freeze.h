/* SPDX-License-Identifier: MIT
 *
 * Freezing moves what the preload built into a sealed file that is mapped back in its place.
 *
 * fork(2) has to copy the page tables of a mapping only if it has an anon_vma, that is, if this
 * process has ever written to it (a rule since Linux 2.6.14; vma_needs_copy() in the kernel's
 * mm/memory.c). A private mapping of a file that was never written to has none: a child that
 * touches its pages finds them in the file again. So the time of a fork no longer depends on how
 * much was loaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct freeze;

struct freeze_facts {
	uint64_t bytes;    /* copied into the file */
	uint64_t unfrozen; /* private memory that was not copied */
	unsigned mappings;
	unsigned holes; /* pages left out, because fork itself writes to them */
	uint64_t took_ns;
	unsigned freezes;
};

/* Allocated in a mapping of its own, which is never frozen. NULL if there is no memory. */
struct freeze *freeze_new(void);

/* Returns how many private bytes could be frozen now; -EBUSY if none can, for a reason that
 * freeze_text() gives; or another -errno if it cannot be determined. Uses stdio, so only before the
 * first freeze. */
int64_t freeze_possible(struct freeze *freeze);

/* Freezes this process, which must be single-threaded, or freezes it again, in a new file because
 * living children still map the old one. All signals are blocked meanwhile. Returns 0, or -errno
 * and freeze_text(); then memory holds what it held before, and freeze_facts() tells whether part
 * of it is frozen. After -ENOTRECOVERABLE memory was lost and the process must end. Calls neither
 * malloc nor stdio. */
int freeze_run(struct freeze *freeze);

/* Leaves out the pages that trial forks write to. Returns 0 or -errno like freeze_run(). */
int freeze_settle(struct freeze *freeze);

/* Leaves out the pages that were written to since; each becomes a mapping of its own. Returns 0;
 * -ENOSPC if there are too many, with nothing changed; or -ENOTRECOVERABLE. */
int freeze_leave_out(struct freeze *freeze);

/* The number of pages written to since the freeze, without those that were left out. */
uint64_t freeze_dirtied(struct freeze *freeze);

/* The file, for collapse_start(). Borrowed; -1 if nothing is frozen. */
int freeze_file(const struct freeze *freeze);

const char *freeze_text(const struct freeze *freeze);
struct freeze_facts freeze_facts(const struct freeze *freeze);
/* The range with this index in the order of addresses; false if there are fewer. */
bool freeze_range(const struct freeze *freeze, size_t index, uintptr_t *ret_start,
		  uintptr_t *ret_end);
