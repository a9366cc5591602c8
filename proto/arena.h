/* SPDX-License-Identifier: MIT
 *
 * A bump allocator over memory that the caller owns: it holds what one message needs while it is
 * read or written. The zygote must not call malloc once its image is frozen, and no message can
 * cost more than its arena.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena {
	uint8_t *memory;
	size_t size;
	size_t used;
};

#define ARENA_NULL                                                                                 \
	{ NULL, 0, 0 }
static inline void arena_init(struct arena *arena, void *memory, size_t size) {
	arena->memory = memory;
	arena->size = size;
	arena->used = 0;
}
static inline void arena_reset(struct arena *arena) {
	arena->used = 0;
}

/* Returns memory that is 16-byte aligned and not zeroed; NULL if the arena is full. */
void *arena_allocate(struct arena *arena, size_t size);
/* Enough for any message of LIMIT_FRAME bytes. */
#define ARENA_MESSAGE ((size_t)1 << 20)
