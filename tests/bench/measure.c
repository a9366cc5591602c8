/* SPDX-License-Identifier: MIT
 *
 * The side of bench.py that is C: a clock, two CPUs, and a loop that waits to be told.
 */
#include "measure.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t all_cpus;

/* --- saying -------------------------------------------------------------------------------- */

void measure_emit(const char *name, double value) {
	(void)printf("%s %.9g\n", name, value);
}

_Noreturn void measure_die(const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	_exit(1);
}

void *measure_allocate(size_t size) {
	void *memory = calloc(1, size);

	if (!memory)
		measure_die("no memory for %zu bytes", size);
	return memory;
}

/* --- time ---------------------------------------------------------------------------------- */

uint64_t measure_now(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double measure_since(uint64_t start) {
	return (double)(measure_now() - start) / 1e3;
}

static int compare(const void *a, const void *b) {
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double measure_median(double *values, size_t n) {
	qsort(values, n, sizeof *values, compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void measure_pause(int ms) {
	(void)poll(NULL, 0, ms);
}

/* --- CPUs ---------------------------------------------------------------------------------- */

unsigned measure_cpus(void) {
	return (unsigned)CPU_COUNT(&all_cpus);
}

static bool may_use(int cpu) {
	return CPU_ISSET((size_t)cpu, &all_cpus);
}

/* The last, since the first is where interrupts go. */
int measure_cpu_main(void) {
	int cpu = CPU_SETSIZE - 1;

	while (cpu > 0 && !may_use(cpu))
		cpu--;
	return cpu;
}

int measure_cpu_other(void) {
	int cpu = 0;

	while (cpu < CPU_SETSIZE - 1 && !may_use(cpu))
		cpu++;
	return cpu;
}

void measure_pin(int cpu) {
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		measure_die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

void measure_unpin(void) {
	if (sched_setaffinity(0, sizeof all_cpus, &all_cpus) < 0)
		measure_die("cannot run on all CPUs again: %s", strerror(errno));
}

/* --- the program --------------------------------------------------------------------------- */

const char *measure_beside(const char *name) {
	static char path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	char *end;

	if (n <= 0 || n == PATH_MAX)
		measure_die("cannot find out where this program lies");
	path[n] = '\0';
	end = strrchr(path, '/') + 1;
	(void)snprintf(end, sizeof path - (size_t)(end - path), "%s", name);
	return path;
}

static const struct row *find(const struct row *const *rows, const char *name) {
	for (; *rows; rows++)
		if (strcmp((*rows)->name, name) == 0)
			return *rows;
	measure_die("no row %s in this program", name);
}

/* Thousands of workers need thousands of descriptors, and a crash is to leave no core file. */
static void set_limits(void) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}

int measure_main(int argc, char **argv, const struct row *const *rows) {
	const struct row *row;
	char line[32];
	void *state;

	if (argc < 2)
		measure_die("usage: %s ROW [--quick]; see bench.py", argv[0]);
	row = find(rows, argv[1]);
	if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
		measure_die("cannot read the CPU affinity: %s", strerror(errno));
	set_limits();
	state = row->open(argc > 2 && strcmp(argv[2], "--quick") == 0);
	(void)puts("ready");
	(void)fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		row->round(state);
		(void)puts("done");
		(void)fflush(stdout);
	}
	row->close(state);
	return 0;
}
