/* SPDX-License-Identifier: MIT
 *
 * Freezing: what the preload built moves into a sealed file that is mapped back over itself.
 *
 * fork(2) has to copy the page tables of a mapping only if it has an anon_vma, that is, if this process has
 * ever written to it (a rule of 2.6.14; vma_needs_copy() in the kernel's mm/memory.c). A private mapping
 * of a file that nobody has written to has none: its pages are found again in the file when a child
 * touches them. So the time of a fork no longer depends on how much was loaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct freeze;

struct freeze_facts {
	uint64_t bytes;    /* copied into the file */
	uint64_t unfrozen; /* of private memory, that was not */
	unsigned mappings;
	unsigned holes; /* pages left out, because fork itself writes to them */
	uint64_t took_ns;
	unsigned freezes;
};

/* In memory of its own, which is never frozen. NULL: no memory. */
struct freeze *freeze_new(void);

/* How many private bytes could be frozen now. -EBUSY: none, for a reason that freeze_text() names;
 * another -errno: that cannot be found out. Before the first freeze only: uses stdio. */
int64_t freeze_possible(struct freeze *freeze);

/* Freezes this process, which must be single-threaded, or freezes it again: in a new file, for living
 * children still map the old one. Blocks all signals meanwhile. 0, or -errno and freeze_text(); then
 * memory holds what it held, and if part of it is frozen, freeze_facts() tells that. -ENOTRECOVERABLE:
 * memory was lost, the process must end. Calls neither malloc nor stdio. */
int freeze_run(struct freeze *freeze);

/* Leaves those pages out that trial forks write to. 0, -errno as freeze_run(). */
int freeze_settle(struct freeze *freeze);

/* Leaves out the pages that were written to since; each is a mapping of its own from then on. 0; -ENOSPC:
 * too many, nothing has changed; -ENOTRECOVERABLE. */
int freeze_leave_out(struct freeze *freeze);

/* Pages that were written to since the freeze, but for those that have been left out. */
uint64_t freeze_dirtied(struct freeze *freeze);

/* The file, for collapse_start(). Borrowed; -1: nothing is frozen. */
int freeze_file(const struct freeze *freeze);

const char *freeze_text(const struct freeze *freeze);
struct freeze_facts freeze_facts(const struct freeze *freeze);
/* Range number `index` in the order of addresses; false: there are not so many. */
bool freeze_range(const struct freeze *freeze, size_t index, uintptr_t *ret_start,
		  uintptr_t *ret_end);
