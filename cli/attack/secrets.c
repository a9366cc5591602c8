/* SPDX-License-Identifier: MIT
 *
 * Attacks on what a task has no need to know: what was in the memory of others, where things lie
 * in it, the environment of the host, and what /proc tells about the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

/* Only the shadow memory of sanitizers is larger. */
#define SEARCHED_MOST  (UINT64_C(1) << 30)
#define PAGE           4096
#define STACK_SEARCHED (1 << 20)
#define SHOWN          12 /* bytes of the title of a file in /proc */

/* Reads memory that is mapped, whatever a sanitizer says to that. */
#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "thread")))
#else
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize_thread))
#endif

struct loot {
	char data[1024];
	size_t size;
};

/* --- 66: what is in one's own memory ------------------------------------------------------- */

UNCHECKED static bool is_there(const char *at, const char *end, const char *masked) {
	size_t i;

	for (; at + ATTACK_TOKEN <= end; at++) {
		for (i = 0; i < ATTACK_TOKEN - 1 && at[i] == (masked[i] ^ ATTACK_MASK); i++)
			continue;
		if (i == ATTACK_TOKEN - 1)
			return true;
	}
	return false;
}

static uint64_t number_of(const char **text) {
	uint64_t number = 0;
	char c;

	for (;; (*text)++) {
		c = **text;
		if (c >= '0' && c <= '9')
			number = number * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number * 16 + (uint64_t)(c - 'a' + 10);
		else
			return number;
	}
}

/* Searches where the kernel says what is mapped; if it does not say, where every program
 * has memory. */
static bool search_line(const char *line, const char *masked) {
	uint64_t start, end;

	start = number_of(&line);
	line++;
	end = number_of(&line);
	if (start == 0 || end - start > SEARCHED_MOST || strncmp(line, " rw", 3) != 0 ||
	    strstr(line, "[v"))
		return false;
	return is_there((const char *)(uintptr_t)start, (const char *)(uintptr_t)end, masked);
}

/* Speculation can read everything that is mapped. So nothing that was given to another task may be
 * mapped in the worker, nor in the zygote that it is a copy of. */
static int search_memory(struct wf_call *call) {
	static char maps[1 << 16];
	char *planted = malloc(ATTACK_TOKEN), *line, *rest = maps;
	const char *masked = attack_brief(call)->masked;
	ssize_t n = attack_read("/proc/self/maps", maps, sizeof maps - 1);
	bool found = false;
	uint64_t works;

	for (line = strtok_r(maps, "\n", &rest); n > 0 && line; line = strtok_r(NULL, "\n", &rest))
		found |= search_line(line, masked);
	found |= is_there((const char *)&attack_held, (const char *)(&attack_held + 1), masked);
	/* the search must not find it here */
	for (size_t i = 0; planted && i < ATTACK_TOKEN; i++)
		planted[i] = (char)(masked[i] ^ ATTACK_MASK);
	works = planted && is_there(planted, planted + ATTACK_TOKEN, masked);
	attack_say(call, 't', &works, sizeof works);
	free(planted);
	return attack_answer(call, found, NULL, 0);
}

static enum attack_verdict judge_found(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	(void)ground;
	return bout->told ? attack_verdict(bout->believes) : ATTACK_NOTHING;
}

/* --- 67: addresses ------------------------------------------------------------------------- */

/* Addresses of the program, a library, the first block of the heap, and a mapping. */
static int tell_addresses(struct wf_call *call) {
	void *block = malloc(64),
	     *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t addresses[4] = { (uint64_t)(uintptr_t)&attack_held, (uint64_t)(uintptr_t)&environ,
				  (uint64_t)(uintptr_t)block, (uint64_t)(uintptr_t)page };
	int r = attack_answer(call, true, addresses, sizeof addresses);

	free(block);
	return r;
}

static bool ask_addresses(struct attack_ground *ground, const struct attack *attack,
			  uint64_t addresses[4]) {
	struct attack_bout bout;
	bool told;

	if (!attack_run(ground, attack, &bout))
		return false;
	told = bout.loot_size == 4 * sizeof addresses[0];
	if (told)
		memcpy(addresses, bout.loot, bout.loot_size);
	return told;
}

/* Workers of one zygote have the same addresses, which makes this an attack; the next generation
 * has others. */
static enum attack_verdict run_addresses(struct attack_ground *ground,
					 const struct attack *attack) {
	uint64_t first[4], brother[4], next[4];
	bool same = false;

	if (!ask_addresses(ground, attack, first) || !ask_addresses(ground, attack, brother))
		return ATTACK_ERROR;
	if (first[0] != brother[0] || first[1] != brother[1])
		return ATTACK_NOTHING;
	if (wf_executor_reload(ground->executor) < 0 || !ask_addresses(ground, attack, next))
		return ATTACK_ERROR;
	for (size_t i = 0; i < 4; i++)
		same |= first[i] == next[i];
	return attack_verdict(same);
}

static const char *no_randomization(void) {
	char value[16];

	if (attack_sanitized())
		return attack_sanitized();
	attack_proc(getpid(), "../sys/kernel/randomize_va_space", value, sizeof value);
	return value[0] == '2' ? NULL : "kernel.randomize_va_space is not 2";
}

/* --- 81: the host's environment --------------------------------------------------------------- */

/* Copies what follows the name of the variable, wherever it is. */
UNCHECKED static void collect(struct loot *loot, const char *at, const char *end) {
	const size_t length = sizeof ATTACK_VARIABLE;

	for (; at + length + ATTACK_TOKEN <= end && loot->size + ATTACK_TOKEN <= sizeof loot->data;
	     at++)
		if (memcmp(at, ATTACK_VARIABLE "=", length) == 0) {
			for (size_t i = 0; i < ATTACK_TOKEN; i++)
				loot->data[loot->size++] = at[length + i];
		}
}

/* The kernel puts the strings at the end of the first stack, before the name of the program. */
static void search_stack(struct loot *loot) {
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	const char *end = name + strlen(name), *start = end - (uintptr_t)end % PAGE;

	while (end - start < STACK_SEARCHED && attack_is_readable(start - PAGE))
		start -= PAGE;
	collect(loot, start, end);
}

static int search_environment(struct wf_call *call) {
	static char file[1 << 16];
	struct loot loot = { .size = 0 };
	ssize_t n = attack_read("/proc/self/environ", file, sizeof file);
	const char *value = getenv(ATTACK_VARIABLE);

	if (value) {
		memcpy(loot.data, value, strnlen(value, ATTACK_TOKEN));
		loot.size = ATTACK_TOKEN;
	}
	search_stack(&loot);
	if (n > 0)
		collect(&loot, file, file + n);
	return attack_answer(call, loot.size > 0, loot.data, loot.size);
}

/* The environment is no layer: every pool with a policy has that of the policy. So the control is a
 * pool without one. */
static enum attack_verdict run_environment(struct attack_ground *ground,
					   const struct attack *attack) {
	struct wf_executor *pool = ground->executor;
	struct attack_bout bout;
	bool ran = !ground->controls || attack_open(ground, NULL) == 0;

	ran = ran && attack_run(ground, attack, &bout) && bout.outcome.kind != WF_NOT_STARTED;
	if (ground->executor != pool)
		attack_close(ground);
	ground->executor = pool;
	return ran ? attack_verdict(attack_has(&bout, ground->environment)) : ATTACK_ERROR;
}

/* --- 82: what root alone is shown ------------------------------------------------------------- */

static const char *const shown[] = { "/proc/slabinfo", "/proc/timer_list", "/proc/pagetypeinfo" };
#define N_SHOWN (sizeof shown / sizeof shown[0])

/* Changing a mode to what it is shows that it could be changed, for the whole machine. */
static int read_machine(struct wf_call *call) {
	struct loot loot = { .size = 0 };
	struct stat info;
	bool done = false;
	ssize_t n;

	for (size_t i = 0; i < N_SHOWN; i++) {
		n = attack_read(shown[i], loot.data + loot.size, SHOWN);
		loot.size += n > 0 ? (size_t)n : 0;
		done |= stat(shown[i], &info) == 0 && chmod(shown[i], info.st_mode & 07777) == 0;
	}
	return attack_answer(call, done, loot.data, loot.size);
}

/* Compares with what we see ourselves, which begins with a title. */
static enum attack_verdict judge_machine(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	char title[SHOWN + 1];
	bool known = false;
	ssize_t n;

	(void)ground;
	for (size_t i = 0; i < N_SHOWN; i++) {
		n = attack_read(shown[i], title, SHOWN);
		title[n > 0 ? n : 0] = '\0';
		known |= n > 0 && attack_has(bout, title);
	}
	return attack_verdict(known || bout->believes);
}

static const char *not_root(void) {
	char byte;

	if (geteuid() != 0)
		return "it is shown to root alone, and we are not root";
	for (size_t i = 0; i < N_SHOWN; i++)
		if (attack_read(shown[i], &byte, 1) == 1)
			return NULL;
	return "this /proc has none of the files that it looks for";
}

/* ------------------------------------------------------------------------------------------- */

#define NAMESPACES (1U << ATTACK_NAMESPACES)

static const struct attack rows[] = {
	{ 66, "a sibling's secret in its own memory", "search_memory", search_memory,
	  ATTACK_LIBRARY | ATTACK_SIBLING, .judge = judge_found },
	{ 67, "addresses of one generation, for the next", "tell_addresses", tell_addresses,
	  ATTACK_LIBRARY, .run = run_addresses, .inapplicable = no_randomization },
	{ 81, "the environment of the host", "search_environment", search_environment,
	  .run = run_environment },
	{ 82, "what /proc tells root about the machine", "read_machine", read_machine,
	  .stops = NAMESPACES, .judge = judge_machine, .inapplicable = not_root },
};

const struct attack_rows attack_secrets = { rows, sizeof rows / sizeof rows[0] };
