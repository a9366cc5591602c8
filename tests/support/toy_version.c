/* SPDX-License-Identifier: MIT
 *
 * A module that is built twice, as version 1 and 2, to see which one answers after a reload.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <warmfork/task.h>

#ifndef TOY_VERSION
#error "compile with -DTOY_VERSION=1 or 2"
#endif

#define PAGE 4096

static int version(struct wf_call *call) {
	const int number = TOY_VERSION;

	return wf_return(call, &number, sizeof number);
}

/* Some pages of constants and of code that nobody has touched before "cold" runs. */
#define WORD(n)      (TOY_VERSION * 1000000007ULL + (n))
#define WORDS4(n)    WORD(n), WORD((n) + 1), WORD((n) + 2), WORD((n) + 3)
#define WORDS16(n)   WORDS4(n), WORDS4((n) + 4), WORDS4((n) + 8), WORDS4((n) + 12)
#define WORDS64(n)   WORDS16(n), WORDS16((n) + 16), WORDS16((n) + 32), WORDS16((n) + 48)
#define WORDS256(n)  WORDS64(n), WORDS64((n) + 64), WORDS64((n) + 128), WORDS64((n) + 192)
#define WORDS1024(n) WORDS256(n), WORDS256((n) + 256), WORDS256((n) + 512), WORDS256((n) + 768)

static const volatile uint64_t constants[] = { WORDS1024(0), WORDS1024(1024), WORDS1024(2048),
					       WORDS1024(3072) };

#define COLD __attribute__((noinline, aligned(PAGE)))

COLD static uint64_t cold_first(uint64_t x) {
	return x * 3 + constants[0];
}

COLD static uint64_t cold_second(uint64_t x) {
	return x * 5 + constants[PAGE / sizeof(uint64_t)];
}

COLD static uint64_t cold_third(uint64_t x) {
	uint64_t sum = x;

	for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
		sum += constants[i] ^ i;
	return sum;
}

/* A number that only the right text and the right constants give. */
static int cold(struct wf_call *call) {
	const uint64_t result = cold_third(cold_second(cold_first(TOY_VERSION)));

	return wf_return(call, &result, sizeof result);
}

/* Pulls its cord (pool.h), waits until it is let go, then answers as `version`. */
static int gate(struct wf_call *call) {
	char byte;
	ssize_t r;

	if (write(wf_call_descriptor(call, 0), "at\n", 3) != 3)
		return wf_fail(call, errno, "cannot announce the start");
	do {
		r = read(wf_call_descriptor(call, 1), &byte, 1);
	} while (r < 0 && errno == EINTR);
	return version(call);
}

WF_MODULE(.functions = WF_FUNCTIONS({ "version", version }, { "cold", cold }, { "gate", gate }));
