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

/* The size of the user part of the address space, because offset = address. */
#define COPIER_FILE_SIZE ((int64_t)1 << 47)
/* The most memory that is held twice at any time. */
#define COPIER_CHUNK ((uintptr_t)16 << 20)

struct copier {
	const struct pages *pages;
	int memfd;       /* COPIER_FILE_SIZE, empty at first; borrowed */
	int previous;    /* where frozen mappings lie now (borrowed); -1 if there are none */
	uint64_t copied; /* bytes */
};

enum copier_error {
	/* A page cannot be read (a guard region, the end of a mapped file). What was copied before
	 * it is mapped from the file, and the rest is unchanged. */
	COPIER_E_UNREADABLE = 1,
};

/* Copies [start, end) of `mapping` into the file and maps it back, private, with the same
 * protection. The bytes stay the same at every moment. Nothing may write to the range meanwhile, so
 * this thread must be the only one, with its signals blocked and its stack and errno elsewhere.
 * Calls neither malloc nor stdio. Returns 0, COPIER_E_... or -errno. On -ENOTRECOVERABLE the kernel
 * has removed the old mapping and could not make the new one; on any other errno the rest of the
 * range is unchanged. */
int copier_move(struct copier *copier, const struct mapping *mapping, uintptr_t start,
		uintptr_t end);

/* Maps [start, end) from the file again; everything written to it since is lost. */
int copier_map(int memfd, const struct mapping *mapping, uintptr_t start, uintptr_t end);
