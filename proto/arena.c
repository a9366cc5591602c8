/* SPDX-License-Identifier: MIT
 *
 * Allocating moves one number; there is nothing to free. 16 bytes are the alignment of the largest
 * thing that protobuf-c asks for.
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
