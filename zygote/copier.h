/* SPDX-License-Identifier: MIT
 *
 * Moves a range of this process's memory into a file, and maps it back at its place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zygote/mapping.h"
#include "zygote/pages.h"

/* As large as the user part of the address space: offset = address. */
#define COPIER_FILE_SIZE ((int64_t)1 << 47)
/* So much memory is held twice, at most. */
#define COPIER_CHUNK ((uintptr_t)16 << 20)

struct copier {
	const struct pages *pages;
	int memfd;       /* COPIER_FILE_SIZE, empty at first; borrowed */
	int previous;    /* where frozen mappings lie now; -1: there are none. Borrowed */
	uint64_t copied; /* bytes */
};

enum copier_error {
	/* A page cannot be read (a guard region, the end of a mapped file). What had been copied
	 * before is mapped from the file, the rest is as it was. */
	COPIER_E_UNREADABLE = 1,
};

/* Of `mapping`, [start, end) goes into the file and is mapped back, private, with the same protection. Its
 * bytes are the same at every moment; nothing in the range may be written meanwhile, so this thread
 * must be the only one, its signals blocked, its stack and errno elsewhere. Calls neither malloc nor
 * stdio. 0; COPIER_E_...; -errno: the rest of the range is as it was, except for
 * -ENOTRECOVERABLE: the kernel has taken the old mapping away and could not make the new one. */
int copier_move(struct copier *copier, const struct mapping *mapping, uintptr_t start,
		uintptr_t end);

/* Maps [start, end) from the file once more: pages that were written to are lost. */
int copier_map(int memfd, const struct mapping *mapping, uintptr_t start, uintptr_t end);
