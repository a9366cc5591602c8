/* SPDX-License-Identifier: MIT
 *
 * Putting back what a task may have changed takes some 45 system calls, or 20 us. Asking the kernel
 * for all of it after each task would be what makes a reused worker slow. Syscall User Dispatch
 * (Linux 5.11) avoids that: while a byte of ours says so, a system call of this thread is not made
 * but raises SIGSYS. Our handler turns the dispatch off and has the call made again, so a task pays
 * for one signal, 2 us, at its first call, and for nothing later.
 *
 * The feature is meant for emulators and is no guard, since any code that can write to memory can
 * turn it off. A task that does so harms only the next one, which finds what it left.
 *
 * A task that makes calls will probably make them again, so after several that tripped the wire is
 * not laid for some tasks.
 *
 * The dispatch belongs to a thread, not a process, and a child does not inherit it; but starting
 * either takes a system call. Under a tracer each trip is a stop; WF_ABSENT=syscall_dispatch turns
 * the tripwire off.
 */
#include "zygote/tripwire.h"

#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/feature.h"
#include "zygote/facts.h"

/* <linux/prctl.h> of 5.11 */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif
#define DISPATCH_ALLOW 0
#define DISPATCH_BLOCK 1
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2 /* si_code */
#endif
/* The length of a `syscall` and of an `int 0x80` instruction. */
#define CALL_BYTES 2

#define TRIPS_PATIENCE 4
#define TRIPS_PAUSE    32

/* Static because the SIGSYS handler finds it here, and the kernel the selector. A worker
 * has one. */
static struct {
	bool usable;
	bool on;   /* the kernel looks at the selector */
	bool laid; /* since tripwire_arm() */
	unsigned trips_in_row, pause;
	volatile uint8_t selector;
	volatile bool tripped;
	volatile nsec_t at;
	volatile uint64_t cpu_ns;
} wire;

static bool dispatch(int mode) {
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, 0L, 0L,
		     mode == PR_SYS_DISPATCH_ON ? &wire.selector : NULL) == 0;
}

/* A SIGSYS that is not ours kills, as it would without us. One from a seccomp filter recurs when
 * its call is made again, so that status and core are those of the real one. */
static void die_of_it(const siginfo_t *info, ucontext_t *user) {
	const struct sigaction action = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGSYS, &action, NULL);
	if (info->si_code > 0)
		user->uc_mcontext.gregs[REG_RIP] -= CALL_BYTES;
	else
		(void)syscall(SYS_tgkill, getpid(), gettid(), SIGSYS);
}

static void handle(int signal, siginfo_t *info, void *context) {
	ucontext_t *user = context;
	struct timespec cpu = { 0 };

	(void)signal;
	wire.selector = DISPATCH_ALLOW;
	if (info->si_code != SYS_USER_DISPATCH) {
		die_of_it(info, user);
		return;
	}
	(void)dispatch(PR_SYS_DISPATCH_OFF);
	wire.on = false;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	wire.cpu_ns = (uint64_t)cpu.tv_sec * NSEC_PER_SEC + (uint64_t)cpu.tv_nsec;
	wire.at = clock_now();
	wire.tripped = true;
	/* The kernel has restored the registers, and the instruction pointer is behind
	 * the instruction. */
	user->uc_mcontext.gregs[REG_RIP] -= CALL_BYTES;
}

/* A call in a handler that blocks SIGSYS would kill, even the return from the handler. Handlers
 * that a task installs come after its first call. */
static bool handlers_let_it_through(void) {
	struct sigaction action;

	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
		    action.sa_handler != SIG_IGN && sigismember(&action.sa_mask, SIGSYS) == 1)
			return false;
	return true;
}

void tripwire_prepare(void) {
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction present;
	sigset_t blocked;

	if (feature_hidden(FEATURE_SYSCALL_DISPATCH) || facts_threads_run() ||
	    sigprocmask(SIG_SETMASK, NULL, &blocked) < 0 || sigismember(&blocked, SIGSYS) ||
	    sigaction(SIGSYS, NULL, &present) < 0 || present.sa_flags & SA_SIGINFO ||
	    present.sa_handler != SIG_DFL || !handlers_let_it_through())
		return;
	(void)sigemptyset(&action.sa_mask);
	wire.on = dispatch(PR_SYS_DISPATCH_ON);
	wire.usable = wire.on && sigaction(SIGSYS, &action, NULL) == 0;
	if (wire.on && !wire.usable)
		(void)dispatch(PR_SYS_DISPATCH_OFF);
}

void tripwire_arm(void) {
	wire.laid = false;
	if (!wire.usable)
		return;
	if (wire.pause > 0) {
		wire.pause--;
		return;
	}
	if (!wire.on)
		wire.on = dispatch(PR_SYS_DISPATCH_ON);
	wire.laid = wire.on;
	wire.tripped = false;
	if (wire.laid)
		wire.selector = DISPATCH_BLOCK;
}

struct tripwire_report tripwire_disarm(void) {
	struct tripwire_report report = { .clean = false };

	wire.selector = DISPATCH_ALLOW;
	if (!wire.laid)
		return report;
	report.tripped = wire.tripped;
	report.clean = !wire.tripped;
	report.at = wire.at;
	report.cpu_ns = wire.cpu_ns;
	wire.trips_in_row = report.clean ? 0 : wire.trips_in_row + 1;
	if (wire.trips_in_row >= TRIPS_PATIENCE)
		wire.pause = TRIPS_PAUSE;
	return report;
}
