/* SPDX-License-Identifier: MIT
 *
 * The model: a fork copies the following from its process, on a machine on which a fork of an empty
 * process takes 60 us:
 *
 *     page tables of private memory that is not frozen   12 us for each MiB of 4 KiB pages
 *     mappings                                           0.35 us each, 1 us with a private page
 *     holes in a frozen mapping                          3 us each: it makes two mappings more, one
 *                                                        with a page, which the next write copies
 *     pages written to since the freeze                  2.5 us each: the table of 512 pages
 *     descriptors beyond the first 64                    0.02 us each
 *
 * This was measured on Linux 6.18, x86-64, in a virtual machine. Other machines take longer or
 * less, in about the same proportions, so all of it is scaled by the time of an empty fork here.
 * The model ranks the costs; the measured fork of the image bounds them. No cost can exceed the
 * time that the fork takes beyond an empty one (transparent huge pages, for example, make memory 30
 * times cheaper than the model assumes). If the fork takes much more than all of this explains,
 * something runs at each fork that the model does not know.
 */
#include "cli/image/obstacle.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MEMORY_MIB_NS   12000
#define MAPPING_NS      350
#define MAPPING_PAGE_NS 650 /* more, if it has a private page */
#define HOLE_NS         3000
#define DIRTIED_NS      2500
#define DESCRIPTOR_NS   20
#define EMPTY_NS        60000
#define PAGE_BYTES      4096

/* What even an empty image has: the C library, ours, and the zygote. */
#define FREE_MAPPINGS    50
#define FREE_DESCRIPTORS 64

/* Less than this, or a smaller part of a fork, is not worth any effort. */
#define SIGNIFICANT_NS   25000
#define SIGNIFICANT_PART 4
/* A fork that takes longer by this part of an empty one is not slower, on a busy machine. */
#define ABOUT_AS_MUCH_PART 2
/* The unexplained time must be at least this, and this many times both the explained time and the
 * spread of forks. */
#define UNEXPLAINED_NS    100000
#define UNEXPLAINED_TIMES 3

/* WF_FREEZE_AUTO leaves smaller images alone. */
#define SMALL_BYTES ((uint64_t)4 << 20)

struct judgement {
	const struct wf_image_facts *facts;
	const struct obstacle_context *context;
	uint64_t excess_ns; /* measured, beyond an empty process; UINT64_MAX if unknown */
};

static uint64_t microseconds(uint64_t ns) {
	return (ns + 500) / 1000;
}

static uint64_t beyond(uint64_t n, uint64_t free_of_charge) {
	return n > free_of_charge ? n - free_of_charge : 0;
}

static uint64_t memory_ns(const struct judgement *judgement) {
	return judgement->facts->unfrozen_bytes * MEMORY_MIB_NS >> 20;
}

/* The number of mappings with a private page is unknown; it is at most the number of such pages. */
static uint64_t mappings_ns(const struct judgement *judgement) {
	uint64_t n = beyond(judgement->facts->mappings, FREE_MAPPINGS);
	uint64_t pages = judgement->facts->unfrozen_bytes / PAGE_BYTES;

	return n * MAPPING_NS + (pages < n ? pages : n) * MAPPING_PAGE_NS;
}

static uint64_t descriptors_ns(const struct judgement *judgement) {
	return beyond(judgement->facts->descriptors, FREE_DESCRIPTORS) * DESCRIPTOR_NS;
}

static uint64_t holes_ns(const struct judgement *judgement) {
	return (uint64_t)judgement->facts->frozen_holes * HOLE_NS;
}

static uint64_t dirtied_ns(const struct judgement *judgement) {
	return judgement->context->dirtied_pages * DIRTIED_NS;
}

/* --- what to do about it ------------------------------------------------------------------- */

static void describe_memory(const struct judgement *judgement, struct obstacle *ret) {
	const struct wf_image_facts *facts = judgement->facts;
	double mib = (double)facts->unfrozen_bytes / (1 << 20);

	(void)snprintf(ret->what, sizeof ret->what,
		       "%.1f MiB of private memory are not frozen: each fork copies their page "
		       "tables",
		       mib);
	if (facts->frozen)
		(void)snprintf(
		    ret->remedy, sizeof ret->remedy,
		    "keep data in ordinary heap memory: stacks, executable memory, "
		    "large files of which little was changed, and memory to which "
		    "madvise(2) gave a meaning of its own are never frozen; what workers "
		    "do not need can be given MADV_DONTFORK");
	else if (judgement->context->wish == WF_FREEZE_NEVER)
		(void)snprintf(ret->remedy, sizeof ret->remedy,
			       "let it be frozen: WF_FREEZE_AUTO in options.freeze, --freeze auto "
			       "here");
	else if (facts->unfrozen_bytes <= SMALL_BYTES)
		(void)snprintf(ret->remedy, sizeof ret->remedy,
			       "it was not frozen (%s); WF_FREEZE_ALWAYS in options.freeze, "
			       "--freeze always here, freezes it all the same",
			       facts->freeze_note);
	else
		(void)snprintf(ret->remedy, sizeof ret->remedy,
			       "remove what kept it from being frozen: %s", facts->freeze_note);
}

static void describe_threads(const struct judgement *judgement, struct obstacle *ret) {
	const struct wf_image_facts *facts = judgement->facts;

	(void)snprintf(ret->what, sizeof ret->what,
		       "%u threads run, so that %.1f MiB of private memory cannot be frozen",
		       facts->threads, (double)facts->unfrozen_bytes / (1 << 20));
	(void)snprintf(ret->remedy, sizeof ret->remedy,
		       "join threads before the preload returns, and start those that workers need "
		       "in initialize");
}

static void describe_mappings(const struct judgement *judgement, struct obstacle *ret) {
	(void)snprintf(ret->what, sizeof ret->what,
		       "%u mappings, each of which a fork copies; an empty image has about %d",
		       judgement->facts->mappings, FREE_MAPPINGS);
	(void)snprintf(ret->remedy, sizeof ret->remedy,
		       "load fewer shared libraries, or link them statically; take memory in few "
		       "large pieces (mmap(2) and mprotect(2) of parts of it make mappings); give "
		       "MADV_DONTFORK to what workers do not need");
}

static void describe_descriptors(const struct judgement *judgement, struct obstacle *ret) {
	(void)snprintf(ret->what, sizeof ret->what,
		       "%u descriptors are open, each of which a fork copies",
		       judgement->facts->descriptors);
	(void)snprintf(ret->remedy, sizeof ret->remedy,
		       "close what preload opened, and open in initialize, or in a task, what that "
		       "one needs");
}

static void describe_holes(const struct judgement *judgement, struct obstacle *ret) {
	(void)snprintf(ret->what, sizeof ret->what,
		       "fork itself writes to %u pages of the frozen image, which are copied each "
		       "time",
		       judgement->facts->frozen_holes);
	(void)snprintf(ret->remedy, sizeof ret->remedy,
		       "have pthread_atfork() handlers of the image and of its libraries write to "
		       "fewer pages: what they write to should lie together");
}

static void describe_dirtied(const struct judgement *judgement, struct obstacle *ret) {
	(void)snprintf(ret->what, sizeof ret->what,
		       "%" PRIu64 " pages of the frozen image were written to while workers were "
		       "forked",
		       judgement->context->dirtied_pages);
	(void)snprintf(
	    ret->remedy, sizeof ret->remedy,
	    "the zygote itself writes to none: look for pthread_atfork() handlers of the "
	    "image that write to other pages each time, and for threads that were "
	    "waived");
}

/* --- which one ----------------------------------------------------------------------------- */

static const struct {
	enum obstacle_kind kind;
	uint64_t (*cost)(const struct judgement *judgement);
	void (*describe)(const struct judgement *judgement, struct obstacle *ret);
} model[] = {
	{ OBSTACLE_MEMORY, memory_ns, describe_memory },
	{ OBSTACLE_MAPPINGS, mappings_ns, describe_mappings },
	{ OBSTACLE_DESCRIPTORS, descriptors_ns, describe_descriptors },
	{ OBSTACLE_HOLES, holes_ns, describe_holes },
	{ OBSTACLE_DIRTIED, dirtied_ns, describe_dirtied },
};
#define N_MODEL (sizeof model / sizeof model[0])

static uint64_t scaled(const struct judgement *judgement, uint64_t cost_ns) {
	uint64_t empty_ns = judgement->context->empty_ns;

	return empty_ns > 0 ? cost_ns * (empty_ns / 100) / (EMPTY_NS / 100) : cost_ns;
}

/* Compares with what a fork should take if it took longer, because it may only have waited. */
static bool is_significant(const struct judgement *judgement, uint64_t explained_ns,
			   uint64_t cost_ns) {
	uint64_t fork_ns = judgement->context->empty_ns + explained_ns;

	if (judgement->facts->fork_ns > 0 && judgement->facts->fork_ns < fork_ns)
		fork_ns = judgement->facts->fork_ns;
	return cost_ns >= SIGNIFICANT_NS && cost_ns >= fork_ns / SIGNIFICANT_PART;
}

static bool prevents_freezing(const struct judgement *judgement) {
	return !judgement->facts->frozen && judgement->facts->threads > 1 &&
	       judgement->context->wish != WF_FREEZE_NEVER;
}

/* Finds the most expensive one, even if it is not worth mentioning. Returns the cost of
 * all together. */
static uint64_t find_dearest(const struct judgement *judgement, size_t *ret, uint64_t *ret_ns) {
	uint64_t sum = 0;

	*ret = 0;
	*ret_ns = 0;
	for (size_t i = 0; i < N_MODEL; i++) {
		uint64_t cost = scaled(judgement, model[i].cost(judgement));

		sum += cost;
		if (cost <= *ret_ns)
			continue;
		*ret = i;
		*ret_ns = cost;
	}
	if (*ret_ns > judgement->excess_ns)
		*ret_ns = judgement->excess_ns;
	return sum;
}

/* On a busy machine a fork waits for a CPU, and the longer it takes, the more often. */
static bool is_unexplained(const struct judgement *judgement, uint64_t explained_ns) {
	uint64_t empty_ns = judgement->context->empty_ns, noise_ns = judgement->context->noise_ns;
	uint64_t rest = beyond(judgement->excess_ns, explained_ns);

	return judgement->excess_ns != UINT64_MAX && rest >= UNEXPLAINED_NS &&
	       rest >= noise_ns * UNEXPLAINED_TIMES &&
	       rest >= explained_ns * UNEXPLAINED_TIMES * (empty_ns + noise_ns) / empty_ns;
}

/* The freeze moved memory and still failed: forks write to too much of it, as the note says. */
static bool is_unsettled(const struct judgement *judgement) {
	return !judgement->facts->frozen && judgement->facts->frozen_bytes > 0;
}

static void describe_other(const struct judgement *judgement, uint64_t explained_ns,
			   struct obstacle *ret) {
	const char *remedy = "look for pthread_atfork() handlers of the image and of its libraries "
			     "that do much; and look again when the machine is idle";

	ret->kind = is_unsettled(judgement) ? OBSTACLE_HOLES : OBSTACLE_OTHER;
	ret->cost_ns = judgement->excess_ns - explained_ns;
	(void)snprintf(ret->what, sizeof ret->what,
		       "a fork takes %" PRIu64
		       " us, of which memory, mappings and descriptors explain only %" PRIu64,
		       microseconds(judgement->facts->fork_ns),
		       microseconds(judgement->context->empty_ns + explained_ns));
	(void)snprintf(ret->remedy, sizeof ret->remedy, "%s",
		       is_unsettled(judgement) ? judgement->facts->freeze_note : remedy);
}

static void describe_none(const struct judgement *judgement, struct obstacle *ret) {
	uint64_t fork_ns = judgement->facts->fork_ns, empty_ns = judgement->context->empty_ns;

	if (fork_ns == 0 || empty_ns == 0)
		(void)snprintf(ret->what, sizeof ret->what, "none that can be seen");
	else if (fork_ns <= empty_ns + empty_ns / ABOUT_AS_MUCH_PART)
		(void)snprintf(ret->what, sizeof ret->what,
			       "none: a fork takes %" PRIu64
			       " us, and one of an empty process about as much",
			       microseconds(fork_ns));
	else
		(void)snprintf(ret->what, sizeof ret->what,
			       "none that stands out: a fork takes %" PRIu64
			       " us, and one of an empty process %" PRIu64 " us",
			       microseconds(fork_ns), microseconds(empty_ns));
}

void obstacle_find(const struct wf_image_facts *facts, const struct obstacle_context *context,
		   struct obstacle *ret) {
	struct judgement judgement = {
		.facts = facts,
		.context = context,
		.excess_ns = UINT64_MAX,
	};
	uint64_t explained_ns, dearest_ns;
	size_t dearest;

	*ret = (struct obstacle){ .kind = OBSTACLE_NONE };
	if (facts->fork_ns > 0 && context->empty_ns > 0)
		judgement.excess_ns = beyond(facts->fork_ns, context->empty_ns);
	explained_ns = find_dearest(&judgement, &dearest, &dearest_ns);
	if (is_unexplained(&judgement, explained_ns)) {
		describe_other(&judgement, explained_ns, ret);
	} else if (is_significant(&judgement, explained_ns, dearest_ns)) {
		ret->kind = model[dearest].kind;
		ret->cost_ns = dearest_ns;
		if (ret->kind == OBSTACLE_MEMORY && prevents_freezing(&judgement))
			ret->kind = OBSTACLE_THREADS;
		if (ret->kind == OBSTACLE_THREADS)
			describe_threads(&judgement, ret);
		else
			model[dearest].describe(&judgement, ret);
	} else {
		describe_none(&judgement, ret);
	}
}

const char *obstacle_name(enum obstacle_kind kind) {
	switch (kind) {
	case OBSTACLE_NONE:
		return "none";
	case OBSTACLE_THREADS:
		return "threads";
	case OBSTACLE_MEMORY:
		return "memory";
	case OBSTACLE_MAPPINGS:
		return "mappings";
	case OBSTACLE_DESCRIPTORS:
		return "descriptors";
	case OBSTACLE_HOLES:
		return "holes";
	case OBSTACLE_DIRTIED:
		return "dirtied";
	case OBSTACLE_OTHER:
		return "other";
	}
	return "unknown";
}
