/* SPDX-License-Identifier: MIT
 *
 * The handlers are installed once, in the zygote, so that a fork costs no sigaction(2).
 *
 * On a fault the handler writes signal, code and address into the cell and returns. The kernel has
 * already reset the disposition (SA_RESETHAND), so the instruction faults again, with the default
 * action, and status and core are those of the real fault. A signal that a process sent does not
 * recur, so the handler sends it again. SIGABRT is not handled because it never has an address.
 *
 * Handlers of the image or of a sanitizer stay; ours replace only the default action. A child that
 * a task forks inherits handlers and cell but must not write to the cell, hence the pid.
 */
#include "zygote/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CRASH_STACK  ((size_t)65536)
#define CRASH_FRAMES 32
/* The frames of the handler itself and of the kernel's trampoline. */
#define CRASH_SKIP 2

/* Static because handlers are passed nothing but their signal. */
static struct cell *crash_cell; /* NULL in the zygote */
static pid_t crash_pid;
static _Alignas(16) uint8_t crash_stack[CRASH_STACK];

static bool fault_has_address(int signal, int code) {
	return code > 0 && code != SI_KERNEL &&
	       (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE);
}

static void handle_crash(int signal, siginfo_t *info, void *context) {
	struct cell *cell = crash_cell;

	(void)context;
	if (cell && crash_pid == getpid() && fault_has_address(signal, info->si_code)) {
		cell->crash.signal = signal;
		cell->crash.code = info->si_code;
		cell->crash.address = (uint64_t)(uintptr_t)info->si_addr;
		atomic_store(&cell->crash.known, 1);
	}
	if (info->si_code <= 0)
		(void)syscall(SYS_tgkill, getpid(), gettid(), signal);
}

/* --- the call stack ------------------------------------------------------------------------ */

struct text {
	char *bytes;
	size_t size;
};

static void text_add(struct text *text, const char *bytes, size_t n) {
	if (n > LIMIT_STACK_TEXT - text->size)
		n = LIMIT_STACK_TEXT - text->size;
	memcpy(text->bytes + text->size, bytes, n);
	text->size += n;
}

static void text_add_string(struct text *text, const char *string) {
	text_add(text, string, strlen(string));
}

static void text_add_number(struct text *text, uint64_t number, unsigned base) {
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	text_add(text, digits + at, sizeof digits - at);
}

static void text_add_frame(struct text *text, uint64_t index, void *address) {
	Dl_info info = { 0 };
	uintptr_t base;

	text_add_string(text, "#");
	text_add_number(text, index, 10);
	text_add_string(text, " 0x");
	text_add_number(text, (uintptr_t)address, 16);
	if (dladdr(address, &info) != 0 && info.dli_fname) {
		base = (uintptr_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase);
		text_add_string(text, " ");
		text_add_string(text, info.dli_sname ? info.dli_sname : "");
		text_add_string(text, "+0x");
		text_add_number(text, (uintptr_t)address - base, 16);
		text_add_string(text, " (");
		text_add_string(text, info.dli_fname);
		text_add_string(text, ")");
	}
	text_add_string(text, "\n");
}

/* Best effort: if the task was interrupted inside the dynamic linker this deadlocks, but the worker
 * is killed a moment later anyway. */
static void handle_stack(int signal) {
	void *frames[CRASH_FRAMES];
	struct cell *cell = crash_cell;
	struct text text;
	int n;

	(void)signal;
	if (!cell || crash_pid != getpid())
		return;
	text = (struct text){ cell->stack, 0 };
	n = backtrace(frames, CRASH_FRAMES);
	for (int i = CRASH_SKIP; i < n; i++)
		text_add_frame(&text, (uint64_t)(i - CRASH_SKIP), frames[i]);
	atomic_store(&cell->stack_size, (uint32_t)text.size);
}

/* --- setting up ---------------------------------------------------------------------------- */

void crash_prepare(void) {
	void *frame;

	(void)backtrace(&frame, 1);
}

static void install(int signal, const struct sigaction *action) {
	struct sigaction old;

	if (sigaction(signal, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
	    old.sa_handler == SIG_DFL)
		(void)sigaction(signal, action, NULL);
}

static void install_stack(void) {
	const stack_t ours = { .ss_sp = crash_stack, .ss_size = sizeof crash_stack };
	stack_t present;

	if (sigaltstack(NULL, &present) == 0 && present.ss_flags & SS_DISABLE)
		(void)sigaltstack(&ours, NULL);
}

void crash_install(void) {
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction crash = { .sa_sigaction = handle_crash,
				   .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_SIGINFO) };
	struct sigaction stack = { .sa_handler = handle_stack,
				   .sa_flags = SA_ONSTACK | SA_RESTART };

	install_stack();
	(void)sigemptyset(&crash.sa_mask);
	(void)sigemptyset(&stack.sa_mask);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		install(faults[i], &crash);
	install(CELL_STACK_SIGNAL, &stack);
}

void crash_enter(struct cell *cell) {
	crash_pid = getpid();
	crash_cell = cell;
}
