/* SPDX-License-Identifier: MIT
 *
 * What the tasks of toy_more.c take and return, and the patterns that both sides compute.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "where", "gate" and "grow" return it. */
struct toy_where {
	pid_t pid;
	int slot;
	int initializer_slot;
	uint64_t worker_id;
	uint64_t task_number;
};

/* "digest" returns it. */
struct toy_digest {
	size_t size;
	uint64_t hash;
};

/* "fill" takes it. */
struct toy_fill {
	size_t size;
	uint64_t seed;
};

/* A byte sequence that differs everywhere, at memory speed: 64-bit words of a mixed counter. */
static inline uint64_t toy_mix(uint64_t x) {
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ (x >> 29);
}

static inline void toy_pattern(void *data, size_t size, uint64_t seed) {
	unsigned char *bytes = data;

	for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t word = toy_mix(seed + at);
		size_t left = size - at;

		__builtin_memcpy(bytes + at, &word, left < sizeof word ? left : sizeof word);
	}
}

static inline uint64_t toy_hash(const void *data, size_t size) {
	const unsigned char *bytes = data;
	uint64_t hash = size;

	for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t word = 0;
		size_t left = size - at;

		__builtin_memcpy(&word, bytes + at, left < sizeof word ? left : sizeof word);
		hash = toy_mix(hash ^ word) + at;
	}
	return hash;
}
