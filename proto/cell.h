/* SPDX-License-Identifier: MIT
 *
 * The cell: one page that the executor shares with one worker and no other process. From Linux 6.12
 * on the worker's mapping of it is sealed; before, a hostile task can map the cells of other
 * workers.
 *
 * It holds the claim words of the tasks on the worker's channel. The worker swaps QUEUED ->
 * STARTED, the executor swaps QUEUED -> CANCELLED; the winner of the compare-and-swap has decided.
 * So a cancel costs no message, a task that has not been started can be given to another worker,
 * and a crash can be blamed on the task that was running.
 *
 * The executor's own safety does not depend on the content: a worker that scribbles in its cell
 * only confuses what is said about its own tasks: the one that runs, and the one directly behind
 * it.
 */
#pragma once

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define CELL_SIZE ((size_t)4096)
#define CELL_CLAIMS                                                                                \
	64u /* at least twice LIMIT_HAND_AHEAD, so that an index is not reused while in flight */

/* Asks a worker to write its call stack into its cell. This is the last signal but one, because
 * programs tend to use the last one themselves. */
#define CELL_STACK_SIGNAL (SIGRTMAX - 1)

#define CELL_TOUCHED 64

enum claim_state {
	CLAIM_EMPTY = 0,
	CLAIM_QUEUED = 1,
	CLAIM_STARTED = 2,
	CLAIM_CANCELLED = 3,
};

struct cell_claim {
	_Atomic uint64_t word;       /* sequence << 2 | enum claim_state */
	_Atomic uint64_t started_ns; /* CLOCK_MONOTONIC; written before the swap to STARTED */
};

/* Written by the worker's handler for SIGSEGV and similar signals, just before it lets the signal
 * kill. */
struct cell_crash {
	_Atomic uint32_t known; /* 1 when the rest is valid */
	int32_t signal;
	int32_t code; /* si_code */
	uint32_t reserved;
	uint64_t address;
};

struct cell {
	struct cell_claim claims[CELL_CLAIMS];
	struct cell_crash crash;
	_Atomic uint32_t stack_size; /* valid bytes of `stack`; written last */
	/* 1: a task closed the worker's channel, so the worker ends */
	_Atomic uint32_t lost_channel;
	char stack[LIMIT_STACK_TEXT];
	/* valid entries of `touched`; a worker that ends writes this last */
	_Atomic uint32_t n_touched;
	_Atomic uint32_t executing;     /* 1: it executes a program, which closes the channel */
	uint64_t touched[CELL_TOUCHED]; /* runs of pages that its task has written to */
};

_Static_assert(sizeof(struct cell) <= CELL_SIZE, "a cell is one page");
_Static_assert(CELL_CLAIMS >= 2 * LIMIT_HAND_AHEAD, "claim words must outlast what is in flight");

static inline uint64_t claim_word(uint64_t sequence, enum claim_state state) {
	return sequence << 2 | (uint64_t)state;
}

static inline struct cell_claim *cell_claim(struct cell *cell, uint64_t sequence) {
	return &cell->claims[sequence % CELL_CLAIMS];
}

/* QUEUED -> `to` for exactly this sequence number; false if the other side was first. */
static inline bool claim_swap(struct cell_claim *claim, uint64_t sequence, enum claim_state to) {
	uint64_t expected = claim_word(sequence, CLAIM_QUEUED);

	return atomic_compare_exchange_strong(&claim->word, &expected, claim_word(sequence, to));
}

/* A run of pages in 64 bits: the number of the first page, and how many there are. */
static inline uint64_t cell_touched_pack(uint64_t page, uint64_t n) {
	return page << 16 | n;
}
static inline uint64_t cell_touched_page(uint64_t run) {
	return run >> 16;
}
static inline unsigned cell_touched_n(uint64_t run) {
	return run & UINT16_MAX;
}
