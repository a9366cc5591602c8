/* SPDX-License-Identifier: MIT
 *
 * A program that measures when it is told to.
 *
 * bench.py starts it as `PROGRAM ROW [--quick]` and reads "ready". Each line that it then writes
 * asks for one round, which is answered by lines "NAME NUMBER" and a "done". The end of input is
 * the end. So bench.py decides who takes the next turn: ours and the reference, in this program or
 * in another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEASURE_MIB ((size_t)1 << 20)
#define MEASURE_GIB ((size_t)1 << 30)

struct row {
	const char *name;
	void *(*open)(bool quick); /* what no round pays for; what it returns is the `state` */
	void (*round)(void *state);
	void (*close)(void *state);
};

int measure_main(int argc, char **argv, const struct row *const *rows);

/* One number of this round; of the same name there may be several. */
void measure_emit(const char *name, double value);
/* A benchmark has nothing to save: it says why it cannot go on. */
_Noreturn void measure_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *measure_allocate(size_t size); /* zeroed */

uint64_t measure_now(void);                      /* nanoseconds of CLOCK_MONOTONIC */
double measure_since(uint64_t start);            /* microseconds */
double measure_median(double *values, size_t n); /* sorts them */

/* Two CPUs of those that this process may use; `other` is `main` if there is only one. */
int measure_cpu_main(void);
int measure_cpu_other(void);
void measure_pin(int cpu); /* the calling thread, and what it starts from now on */
void measure_unpin(void);
unsigned measure_cpus(void);

/* Sleeps, which no test may do. A benchmark does: whoever looks again and again takes the CPU from
 * those that it measures, and a process is cold only when it has been asleep. */
void measure_pause(int ms);

/* `name` in the folder of this program. The text is valid until the next call. */
const char *measure_beside(const char *name);
