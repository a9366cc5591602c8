/* SPDX-License-Identifier: MIT
 *
 * Allocating advances one number; nothing has to be freed. 16 bytes are the alignment of the
 * largest object that protobuf-c allocates.
 */
#include "proto/arena.h"

#define ARENA_ALIGN ((size_t)16)

void *arena_allocate(struct arena *arena, size_t size) {
	size_t misaligned = ((uintptr_t)arena->memory + arena->used) % ARENA_ALIGN;
	size_t skip = misaligned ? ARENA_ALIGN - misaligned : 0;
	size_t left = arena->size - arena->used;
	void *memory;

	if (skip > left || size > left - skip)
		return NULL;
	memory = arena->memory + arena->used + skip;
	arena->used += skip + size;
	return memory;
}
