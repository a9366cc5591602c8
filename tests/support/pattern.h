/* SPDX-License-Identifier: MIT
 *
 * Bytes that tell where they belong: a page that came from elsewhere, or came as zeroes, shows.
 * Sizes are multiples of 8, memory is aligned likewise; nothing allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte that depends on all of its place. */
static inline unsigned char pattern_byte(size_t i) {
	return (unsigned char)(i * 31 ^ i >> 7 ^ i >> 12 ^ i >> 20);
}

static inline uint64_t pattern_first(uint64_t seed) {
	return seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static inline uint64_t pattern_next(uint64_t *state) {
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state ^ *state >> 29;
}

static inline void pattern_fill(void *memory, size_t size, uint64_t seed) {
	uint64_t *words = memory, state = pattern_first(seed);

	for (size_t i = 0; i < size / sizeof *words; i++)
		words[i] = pattern_next(&state);
}

static inline bool pattern_is(const void *memory, size_t size, uint64_t seed) {
	const uint64_t *words = memory;
	uint64_t state = pattern_first(seed);

	for (size_t i = 0; i < size / sizeof *words; i++)
		if (words[i] != pattern_next(&state))
			return false;
	return true;
}

static inline bool pattern_is_zero(const void *memory, size_t size) {
	const unsigned char *bytes = memory;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static inline uint64_t pattern_hash_on(uint64_t hash, const void *memory, size_t size) {
	const uint64_t *words = memory;

	for (size_t i = 0; i < size / sizeof *words; i++)
		hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static inline uint64_t pattern_hash(const void *memory, size_t size) {
	return pattern_hash_on(UINT64_C(0xcbf29ce484222325), memory, size);
}
