/* SPDX-License-Identifier: MIT
 *
 * sandbox/filter: what each preset allows, call by call and argument by argument. The compiled
 * program is interpreted here, as the kernel would: so calls can be asked about that no test could
 * make, and the answers are those of any kernel. That the kernel agrees, one test shows.
 *
 * What the zygote's loop and a worker that enters need is a table of its own, taken from strace -f
 * of pools under `stage` in both regimes, with tasks that return, crash, fork, are stopped, and
 * time out: a call that is added there must be added here, and decided upon.
 */
#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "policy/document.h"
#include "sandbox/filter_compile.h"
#include "tests/support/fixture.h"

#define N_OF(array)         (sizeof(array) / sizeof(array)[0])
#define X32_BIT             0x40000000
#define AUDIT_I386          AUDIT_ARCH_I386
#define CALL_CLONE3         435
#define IDENTITY            65534
#define MFD_NOEXEC_SEAL_6_3 8
#define NOTIFY              SECCOMP_RET_USER_NOTIF
#define ALLOW               SECCOMP_RET_ALLOW
#define ERRNO(error)        (SECCOMP_RET_ERRNO | (error))

enum { PURE, STAGE, TESTS, N_PRESETS };
static const char *const presets[N_PRESETS] = { "pure", "stage", "tests" };

/* --- compiling ----------------------------------------------------------------------------- */

static struct wf_policy *source;
static struct sandbox_filter filter;
static int program_file;

static struct filter_key key;
static uint32_t gid = IDENTITY;
static struct filter_rest rest;

static void compile(struct wf_policy *policy, bool notify) {
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct policy view = *document_view(policy);

	/* as sandbox_prepare() settles it */
	view.uid = IDENTITY;
	view.gid = gid;
	source = policy;
	view.report = notify ? view.report : POLICY_REPORT_NONE;
	key = filter_key_of(&view, false, false);
	rest = (struct filter_rest){ view.uid, view.gid, view.calls, view.n_calls };
	program_file = filter_compile(&key, &rest);
	ck_assert_int_ge(program_file, 0);
	ck_assert_int_eq(filter_map(program_file, &filter), 0);
	/* no task that finds the descriptor writes the filter of the next worker */
	ck_assert_int_eq(fcntl(program_file, F_GET_SEALS) & seals, seals);
}

static struct wf_policy *policy_new(int preset) {
	struct wf_policy *policy = NULL;

	ck_assert_int_eq(wf_policy_new(presets[preset], &policy), 0);
	return policy;
}

static void compile_preset(int preset, bool notify) {
	compile(policy_new(preset), notify);
}

static void discard(void) {
	union {
		const void *in;
		void *out;
	} program = { filter.program };

	ck_assert_int_eq(munmap(program.out, filter.n * sizeof(struct sock_filter)), 0);
	close(program_file);
	wf_policy_free(source);
}

/* --- compiled beforehand -------------------------------------------------------------------- */

/* What was compiled with the library is what would be compiled now. */
START_TEST(test_ready_filters) {
	struct wf_policy *policy = policy_new(_i % N_PRESETS);
	struct sandbox_filter ready = { NULL, 0 };

	if (_i / N_PRESETS % 2 == 1)
		ck_assert_int_eq(wf_policy_add(policy, "report", "calls"), 0);
	gid = 4711; /* equal blocks of a filter are put together */
	compile(policy, true);
	key.sealed_memfd = true; /* since Linux 6.3; older kernels have no ready filters */
	discard();
	source = NULL;
	program_file = filter_compile(&key, &rest);
	ck_assert_int_eq(filter_map(program_file, &filter), 0);
	ck_assert(filter_find(&key, IDENTITY, gid, &ready));
	ck_assert_uint_eq(ready.n, filter.n);
	ck_assert_mem_eq(ready.program, filter.program, filter.n * sizeof(struct sock_filter));
	discard();
}
END_TEST

START_TEST(test_no_ready_filter_for_others) {
	struct wf_policy *policy = policy_new(1);
	struct sandbox_filter ready = { NULL, 0 };

	ck_assert_int_eq(wf_policy_add(policy, "socket", "netlink"), 0);
	compile(policy, true);
	ck_assert(!filter_find(&key, IDENTITY, IDENTITY, &ready));
	discard();
}
END_TEST

/* --- interpreting -------------------------------------------------------------------------- */

struct question {
	long number;
	uint64_t arguments[6];
};

static bool is_taken(uint16_t code, uint32_t a, uint32_t k) {
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		ck_abort_msg("jump 0x%x", code);
	}
	return false;
}

static uint32_t load(const struct seccomp_data *data, uint32_t offset) {
	uint32_t word;

	ck_assert_uint_le(offset + sizeof word, sizeof *data);
	memcpy(&word, (const char *)data + offset, sizeof word);
	return word;
}

static uint32_t interpret(const struct seccomp_data *data) {
	const struct sock_filter *program = filter.program;
	uint32_t a = 0;

	for (size_t at = 0; at < filter.n; at++) {
		const struct sock_filter *one = &program[at];

		if (one->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(data, one->k);
		else if (one->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= one->k;
		else if (one->code == (BPF_RET | BPF_K))
			return one->k;
		else if (one->code == (BPF_JMP | BPF_JA))
			at += one->k;
		else if (BPF_CLASS(one->code) == BPF_JMP)
			at += is_taken(one->code, a, one->k) ? one->jt : one->jf;
		else
			ck_abort_msg("instruction 0x%x", one->code);
	}
	ck_abort_msg("it fell off its end");
	return 0;
}

static uint32_t ask_architecture(uint32_t architecture, const struct question *question) {
	struct seccomp_data data = { .nr = (int)question->number, .arch = architecture };

	for (size_t i = 0; i < 6; i++)
		data.args[i] = question->arguments[i];
	return interpret(&data);
}

static uint32_t ask(const struct question *question) {
	return ask_architecture(AUDIT_ARCH_X86_64, question);
}

#define ASK(...) ask(&(const struct question){ __VA_ARGS__ })

static const char *name_of(long number) {
	const struct call *call = call_by_number((uint32_t)number);

	return call != NULL ? call->name : "?";
}

static void expect(const struct question *question, uint32_t expected, const char *preset) {
	uint32_t found = ask(question);

	ck_assert_msg(found == expected, "%s(0x%llx, 0x%llx, 0x%llx) under %s: 0x%x, not 0x%x",
		      name_of(question->number), (unsigned long long)question->arguments[0],
		      (unsigned long long)question->arguments[1],
		      (unsigned long long)question->arguments[2], preset, found, expected);
}

/* --- what the zygote and its workers do themselves ----------------------------------------- */

#define ANY 77 /* a pid, a descriptor, an address */

/* Under an inherited filter. */
static const struct question of_zygote[] = {
	{ SYS_poll, { ANY, 2, ANY } },
	{ SYS_recvmsg, { ANY, ANY, MSG_CMSG_CLOEXEC } },
	{ SYS_sendmsg, { ANY, ANY, MSG_NOSIGNAL } },
	{ SYS_sendto, { ANY, ANY, ANY, MSG_NOSIGNAL, 0, 0 } },
	{ SYS_read, { ANY, ANY, ANY } },
	{ SYS_write, { ANY, ANY, ANY } },
	{ SYS_lseek, { ANY, 0, SEEK_SET } },
	{ SYS_pread64, { ANY, ANY, ANY, 0 } },
	{ SYS_close, { ANY } },
	{ SYS_clone, { CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 0, ANY, 0 } },
	{ SYS_pidfd_open, { ANY, 0 } },
	{ SYS_pidfd_send_signal, { ANY, SIGKILL, 0, 0 } },
	{ SYS_waitid, { 1, ANY, ANY, ANY, ANY } },
	{ SYS_rt_sigtimedwait, { ANY, 0, ANY, 8 } },
	{ SYS_clock_nanosleep, { 0, 0, ANY, 0 } },
	{ SYS_exit_group, { 0 } },
};

/* A fresh one, from its fork to its task. */
static const struct question of_worker[] = {
	{ SYS_set_robust_list, { ANY, 24 } },
	{ SYS_rseq, { ANY, 32, 0, ANY } },
	{ SYS_mmap, { 0, ANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ANY, 0 } },
	{ SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ANY, 0 } },
	{ SYS_munmap, { ANY, ANY } },
	{ SYS_brk, { 0 } },
	{ SYS_getpid, { 0 } },
	{ SYS_setpgid, { 0, 0 } },
	{ SYS_prctl, { PR_SET_CHILD_SUBREAPER, 1 } },
	{ SYS_prctl, { PR_SET_NAME, ANY } },
	{ SYS_setns, { ANY, CLONE_NEWNS } },
	{ SYS_setgroups, { 0, 0 } },
	{ SYS_setresgid, { IDENTITY, IDENTITY, IDENTITY } },
	{ SYS_setresuid, { IDENTITY, IDENTITY, IDENTITY } },
	{ SYS_fcntl, { ANY, F_DUPFD_CLOEXEC, 200 } },
	{ SYS_close_range, { 3, ~UINT32_C(0), 0 } },
	{ SYS_prlimit64, { 0, 7, ANY, ANY } },
	{ SYS_landlock_restrict_self, { ANY, 0 } },
	{ SYS_capset, { ANY, ANY } },
	{ SYS_capget, { ANY, ANY } },
	{ SYS_close, { ANY } },
	{ SYS_getrandom, { ANY, 32, 0 } },
	{ SYS_rt_sigprocmask, { SIG_SETMASK, ANY, 0, 8 } },
	{ SYS_rt_sigaction, { SIGSEGV, ANY, ANY, 8 } },
	{ SYS_rt_sigreturn, { 0 } },
	{ SYS_sigaltstack, { ANY, 0 } },
	{ SYS_recvmsg, { ANY, ANY, MSG_CMSG_CLOEXEC } },
	{ SYS_sendto, { ANY, ANY, ANY, MSG_NOSIGNAL, 0, 0 } },
	{ SYS_sendmsg, { ANY, ANY, MSG_NOSIGNAL } },
	{ SYS_clock_gettime, { CLOCK_PROCESS_CPUTIME_ID, ANY } },
	{ SYS_getrusage, { 0, ANY } },
	{ SYS_poll, { ANY, 1, 2 } },
	{ SYS_memfd_create, { ANY, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL_6_3 } },
	{ SYS_ftruncate, { ANY, 4096 } },
	{ SYS_fallocate, { ANY, 0, 0, 4096 } },
	{ SYS_newfstatat, { ANY, ANY, ANY, AT_EMPTY_PATH } },
	{ SYS_gettid, { 0 } },
	{ SYS_tgkill, { ANY, ANY, SIGSEGV } },
	{ SYS_exit_group, { 0 } },
};

/* What a reused one does beyond, between two tasks. */
static const struct question of_reused_worker[] = {
	{ SYS_pread64, { ANY, ANY, ANY, 0 } },
	{ SYS_fchdir, { ANY } },
	{ SYS_umask, { 022 } },
	{ SYS_dup3, { ANY, 1, 0 } },
	{ SYS_fcntl, { ANY, F_GETFD } },
	{ SYS_fcntl, { ANY, F_GETFL } },
	{ SYS_waitid, { 0, 0, ANY, ANY, 0 } },
	{ SYS_setitimer, { 0, ANY, 0 } },
	{ SYS_sched_getaffinity, { 0, ANY, ANY } },
	{ SYS_getpriority, { 0, 0 } },
	{ SYS_sched_getscheduler, { 0 } },
	{ SYS_personality, { 0xffffffff } },
	{ SYS_prctl, { PR_SET_PDEATHSIG, 0 } },
	{ SYS_prctl, { PR_GET_PDEATHSIG, ANY } },
	{ SYS_prctl, { PR_GET_CHILD_SUBREAPER, ANY } },
	{ SYS_prctl, { PR_GET_NAME, ANY } },
	{ SYS_prlimit64, { 0, 7, 0, ANY } },
	{ SYS_getpgid, { 0 } },
	{ SYS_rt_sigpending, { ANY, 8 } },
};

static void expect_all(const struct question *questions, size_t n, uint32_t expected, int preset) {
	for (size_t i = 0; i < n; i++)
		expect(&questions[i], expected, presets[preset]);
}

/* These calls are allowed without asking the listener, since nobody would answer. The loop index is
 * the preset, and whether there is a listener. */
START_TEST(test_zygote_can_live_under_its_filter) {
	const int preset = _i % N_PRESETS;

	compile_preset(preset, _i >= N_PRESETS);
	if (filter_suits_zygote(document_view(source)))
		expect_all(of_zygote, N_OF(of_zygote), ALLOW, preset);
	expect_all(of_worker, N_OF(of_worker), ALLOW, preset);
	expect_all(of_reused_worker, N_OF(of_reused_worker), ALLOW, preset);
	discard();
}
END_TEST

START_TEST(test_which_policies_suit_the_zygote) {
	static const bool suits[N_PRESETS] = { false, true, true };
	struct wf_policy *policy;

	for (int preset = 0; preset < N_PRESETS; preset++) {
		policy = policy_new(preset);
		ck_assert_int_eq(filter_suits_zygote(document_view(policy)), suits[preset]);
		wf_policy_free(policy);
	}
	policy = policy_new(PURE);
	ck_assert_int_eq(wf_policy_add(policy, "read", "/usr"), 0);
	ck_assert_int_eq(filter_suits_zygote(document_view(policy)), false);
	ck_assert_int_eq(wf_policy_add(policy, "execute", "/usr"), 0);
	ck_assert_int_eq(filter_suits_zygote(document_view(policy)), true);
	wf_policy_free(policy);
}
END_TEST

/* Once entered, the same again achieves nothing; anything else is refused. */
START_TEST(test_entering_is_allowed_to_the_letter) {
	static const struct question others[] = {
		{ SYS_setns, { ANY, 0 } },
		{ SYS_setns, { ANY, CLONE_NEWUSER } },
		{ SYS_setns, { ANY, CLONE_NEWNS | CLONE_NEWNET } },
		{ SYS_setresuid, { 0, 0, 0 } },
		{ SYS_setresuid, { IDENTITY, 0, IDENTITY } },
		{ SYS_setresuid, { IDENTITY, IDENTITY, ~UINT64_C(0) } },
		{ SYS_setresgid, { IDENTITY, IDENTITY, 0 } },
		{ SYS_setuid, { IDENTITY } },
		{ SYS_setreuid, { IDENTITY, IDENTITY } },
		{ SYS_unshare, { CLONE_NEWNS } },
		{ SYS_unshare, { CLONE_NEWUSER } },
		{ SYS_mount, { ANY, ANY, ANY, 0, 0 } },
		{ SYS_chroot, { ANY } },
		{ SYS_pivot_root, { ANY, ANY } },
		{ SYS_seccomp, { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, ANY } },
		{ SYS_prlimit64, { ANY, 7, ANY, 0 } },
	};

	compile_preset(_i, false);
	expect_all(others, N_OF(others), ERRNO(EPERM), _i);
	discard();
	compile_preset(_i, true);
	expect_all(others, N_OF(others), NOTIFY, _i);
	discard();
}
END_TEST

/* --- groups -------------------------------------------------------------------------------- */

static const uint64_t groups[N_PRESETS] = {
	1 << CALLS_BASE,
	1 << CALLS_BASE | 1 << CALLS_FILES | 1 << CALLS_PROCESSES | 1 << CALLS_EVENTS |
	    1 << CALLS_SCHEDULING,
	1 << CALLS_BASE | 1 << CALLS_FILES | 1 << CALLS_PROCESSES | 1 << CALLS_EVENTS |
	    1 << CALLS_SCHEDULING | 1 << CALLS_THREADS | 1 << CALLS_SOCKETS | 1 << CALLS_IPC,
};

/* No call of a group that a preset lacks, with whatever arguments: those of entering apart. */
START_TEST(test_presets_allow_their_groups_and_no_more) {
	static const uint64_t fillings[] = { 0, 1, ANY, ~UINT64_C(0) };
	static const int entering[] = { SYS_capset, SYS_setgroups, SYS_setpgid,
					SYS_sched_setaffinity };
	size_t n;
	const struct call *calls = call_table(&n);

	compile_preset(_i, true);
	for (size_t i = 0; i < n; i++) {
		bool excused = groups[_i] >> calls[i].group & 1;

		for (size_t k = 0; k < N_OF(entering); k++)
			excused |= calls[i].number == entering[k];
		for (size_t k = 0; k < N_OF(fillings) && !excused; k++) {
			uint64_t f = fillings[k];
			const struct question question = { calls[i].number, { f, f, f, f, f, f } };

			expect(&question, NOTIFY, presets[_i]);
		}
	}
	discard();
}
END_TEST

START_TEST(test_unknown_calls_are_refused) {
	static const long numbers[] = { 337, 423, 470, 500, 1000, 1022, 1024, 65536 };

	compile_preset(_i, true);
	for (size_t i = 0; i < N_OF(numbers); i++)
		expect(&(const struct question){ numbers[i], { 0 } }, NOTIFY, presets[_i]);
	discard();
}
END_TEST

/* What libraries take for an answer, where there is no listener to give it. */
START_TEST(test_refusals_without_a_listener) {
	compile_preset(_i, false);
	ck_assert_uint_eq(ASK(CALL_CLONE3, { ANY, 88 }), ERRNO(ENOSYS));
	ck_assert_uint_eq(ASK(SYS_openat2, { ANY }), ERRNO(ENOSYS));
	ck_assert_uint_eq(ASK(SYS_io_uring_setup, { 1, ANY }), ERRNO(ENOSYS));
	ck_assert_uint_eq(ASK(SYS_setxattr, { ANY }), ERRNO(EOPNOTSUPP));
	ck_assert_uint_eq(ASK(SYS_ptrace, { 0 }), ERRNO(EPERM));
	ck_assert_uint_eq(ASK(SYS_bpf, { 0 }), ERRNO(EPERM));
	ck_assert_uint_eq(ASK(SYS_openat, { ANY, ANY, O_RDONLY }),
			  _i == PURE ? ERRNO(EPERM) : ALLOW);
	discard();
}
END_TEST

START_TEST(test_filter_shows_that_it_is_in_force) {
	compile_preset(_i % N_PRESETS, _i >= N_PRESETS);
	ck_assert_uint_eq(ASK(FILTER_PROBE_CALL, { 0 }), ERRNO(FILTER_PROBE_ERROR));
	discard();
}
END_TEST

/* --- other ABIs ---------------------------------------------------------------------------- */

START_TEST(test_other_abis_are_nobodys) {
	const struct question i386 = { 20, { 0 } }, x32 = { X32_BIT | SYS_getpid, { 0 } };

	compile_preset(_i, true);
	ck_assert_uint_eq(ask_architecture(AUDIT_I386, &i386), NOTIFY);
	ck_assert_uint_eq(ask(&x32), NOTIFY);
	discard();
	compile_preset(_i, false);
	ck_assert_uint_eq(ask_architecture(AUDIT_I386, &i386), SECCOMP_RET_KILL_PROCESS);
	ck_assert_uint_eq(ask_architecture(AUDIT_ARCH_AARCH64, &i386), SECCOMP_RET_KILL_PROCESS);
	ck_assert_uint_eq(ask(&x32), SECCOMP_RET_KILL_PROCESS);
	discard();
}
END_TEST

/* --- arguments ----------------------------------------------------------------------------- */

struct rule {
	struct question question;
	bool allowed[N_PRESETS];
};

#define EVERYBODY                                                                                  \
	{ true, true, true }
#define NOBODY                                                                                     \
	{ false, false, false }
#define NOT_PURE                                                                                   \
	{ false, true, true }
#define ONLY_TESTS                                                                                 \
	{ false, false, true }

static const struct rule rules[] = {
	/* memory is written or executed */
	{ { SYS_mmap, { 0, 1, PROT_READ | PROT_WRITE } }, EVERYBODY },
	{ { SYS_mmap, { 0, 1, PROT_READ | PROT_EXEC } }, NOT_PURE },
	{ { SYS_mmap, { 0, 1, PROT_READ | PROT_WRITE | PROT_EXEC } }, NOBODY },
	{ { SYS_mmap, { 0, 1, PROT_READ, MAP_PRIVATE | MAP_HUGETLB } }, NOBODY },
	{ { SYS_memfd_create, { ANY, MFD_NOEXEC_SEAL_6_3 | MFD_HUGETLB } }, NOBODY },
	{ { SYS_shmget, { ANY, 1, 0 } }, ONLY_TESTS },
	{ { SYS_shmget, { ANY, 1, SHM_HUGETLB } }, NOBODY },
	{ { SYS_mprotect, { ANY, 1, PROT_READ | PROT_WRITE } }, EVERYBODY },
	{ { SYS_mprotect, { ANY, 1, PROT_READ | PROT_EXEC } }, NOBODY },
	{ { SYS_pkey_mprotect, { ANY, 1, PROT_EXEC } }, NOBODY },
	{ { SYS_personality, { READ_IMPLIES_EXEC } }, NOBODY },
	{ { SYS_personality, { ADDR_NO_RANDOMIZE } }, NOBODY },
	/* processes, threads, namespaces */
	{ { SYS_clone, { SIGCHLD } }, NOT_PURE },
	{ { SYS_clone, { CLONE_VM | CLONE_VFORK | SIGCHLD } }, NOT_PURE },
	{ { SYS_clone, { CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS } }, ONLY_TESTS },
	{ { SYS_clone, { CLONE_NEWUSER | SIGCHLD } }, NOBODY },
	{ { SYS_clone, { CLONE_NEWNS | CLONE_THREAD } }, NOBODY },
	{ { SYS_clone, { CLONE_PARENT | SIGCHLD } }, NOBODY },
	{ { SYS_clone, { CLONE_PTRACE | SIGCHLD } }, NOBODY },
	{ { SYS_kill, { ANY, SIGTERM } }, NOT_PURE },
	{ { SYS_execve, { ANY, ANY, ANY } }, NOBODY }, /* told: by its path it is judged */
	/* terminals, devices, descriptors */
	{ { SYS_ioctl, { 0, TIOCGWINSZ } }, EVERYBODY },
	{ { SYS_ioctl, { 0, TIOCSTI } }, NOBODY },
	{ { SYS_ioctl, { 0, TIOCSTI | UINT64_C(1) << 32 } }, NOBODY },
	{ { SYS_ioctl, { 0, TIOCLINUX } }, NOBODY },
	{ { SYS_ioctl, { 0, TIOCSCTTY } }, NOBODY },
	{ { SYS_ioctl, { 0, TIOCSETD } }, NOBODY },
	{ { SYS_ioctl, { 0, TCGETS } }, EVERYBODY },
	{ { SYS_ioctl, { 0, TCSETS } }, NOBODY }, /* told: it depends on whose the terminal is */
	{ { SYS_ioctl, { 0, TIOCSPGRP } }, NOBODY },
	{ { SYS_fcntl, { 0, F_SETOWN, ANY } }, NOBODY },
	{ { SYS_fcntl, { 0, F_SETSIG, SIGKILL } }, NOBODY },
	{ { SYS_fcntl, { 0, F_SETFL, O_NONBLOCK } }, EVERYBODY },
	{ { SYS_fcntl, { 0, F_SETFL, O_NONBLOCK | O_ASYNC } }, NOBODY },
	{ { SYS_ioctl, { 0, FIOASYNC } }, NOBODY },
	{ { SYS_fcntl, { 0, F_NOTIFY, ANY } }, NOBODY },
	/* set-id bits */
	{ { SYS_chmod, { ANY, S_ISUID | 0755 } }, NOBODY },
	{ { SYS_fchmod, { ANY, 0644 } }, NOT_PURE },
	{ { SYS_fchmod, { ANY, S_ISGID | 0755 } }, NOBODY },
	{ { SYS_mknodat, { ANY, ANY, S_IFREG | S_ISUID } }, NOBODY },
	{ { SYS_openat, { ANY, ANY, O_CREAT | O_WRONLY, S_ISUID | 0755 } }, NOBODY },
	/* settings of a process, and filters */
	{ { SYS_prctl, { PR_SET_CHILD_SUBREAPER, 0 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_CHILD_SUBREAPER, 1 } }, EVERYBODY },
	{ { SYS_prctl, { PR_SET_DUMPABLE, 1 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_MM, 1 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_SECCOMP, 2 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_SECUREBITS, 0 } }, NOBODY },
	{ { SYS_prctl, { PR_CAP_AMBIENT, 2 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_KEEPCAPS, 1 } }, NOBODY },
	{ { SYS_prctl, { PR_SET_PTRACER, ANY } }, NOBODY },
	{ { SYS_seccomp, { SECCOMP_SET_MODE_FILTER, 0, ANY } }, EVERYBODY },
	{ { SYS_sched_setaffinity, { 0, 8, ANY } }, EVERYBODY },
	{ { SYS_sched_setaffinity, { ANY, 8, ANY } }, NOBODY },
	{ { SYS_setpriority, { 0, 0, 10 } }, NOT_PURE },
	{ { SYS_setpriority, { 0, ANY, 10 } }, NOBODY },
	{ { SYS_setpriority, { 2, 0, 10 } }, NOBODY },
	{ { SYS_sched_setscheduler, { ANY, 0, ANY } }, NOBODY },
	{ { SYS_ioprio_set, { 1, 0, ANY } }, NOT_PURE },
	{ { SYS_ioprio_set, { 3, 0, ANY } }, NOBODY },
	/* sockets */
	{ { SYS_socket, { AF_UNIX, SOCK_STREAM } }, ONLY_TESTS },
	{ { SYS_socket, { AF_INET, SOCK_STREAM } }, ONLY_TESTS },
	{ { SYS_socket, { AF_INET6, SOCK_DGRAM } }, ONLY_TESTS },
	{ { SYS_socket, { AF_NETLINK, SOCK_RAW } }, NOBODY },
	{ { SYS_socket, { AF_PACKET, SOCK_RAW } }, NOBODY },
	{ { SYS_socket, { AF_VSOCK, SOCK_STREAM } }, NOBODY },
	{ { SYS_socket, { AF_ALG, SOCK_SEQPACKET } }, NOBODY },
	{ { SYS_socketpair, { AF_UNIX, SOCK_STREAM } }, ONLY_TESTS },
	{ { SYS_listen, { ANY, ANY } }, ONLY_TESTS },
	{ { SYS_socketpair, { AF_INET, SOCK_STREAM } }, NOBODY },
};

START_TEST(test_arguments_decide) {
	compile_preset(_i, true);
	for (size_t i = 0; i < N_OF(rules); i++)
		expect(&rules[i].question, rules[i].allowed[_i] ? ALLOW : NOTIFY, presets[_i]);
	discard();
}
END_TEST

/* Without a pid namespace too: it would reach any process of the user. */
START_TEST(test_no_signals_by_descriptors) {
	struct wf_policy *policy = policy_new(_i);

	ck_assert_int_eq(wf_policy_add(policy, "namespaces", "none"), 0);
	compile(policy, true);
	ck_assert_uint_eq(ASK(SYS_fcntl, { 3, F_SETOWN, 1 }), NOTIFY);
	ck_assert_uint_eq(ASK(SYS_fcntl, { 3, F_SETSIG, SIGKILL }), NOTIFY);
	ck_assert_uint_eq(ASK(SYS_fcntl, { 3, F_SETFL, O_ASYNC }), NOTIFY);
	discard();
}
END_TEST

/* Under report: calls, nobody looks at paths, but a device node is refused all the same. */
START_TEST(test_no_device_nodes) {
	struct wf_policy *policy = policy_new(1);

	ck_assert_int_eq(wf_policy_add(policy, "report", "calls"), 0);
	compile(policy, true);
	ck_assert_uint_eq(ASK(SYS_renameat2, { ANY, ANY, ANY, ANY, RENAME_EXCHANGE }), ALLOW);
	ck_assert_uint_eq(ASK(SYS_renameat2, { ANY, ANY, ANY, ANY, RENAME_WHITEOUT }), NOTIFY);
	ck_assert_uint_eq(ASK(SYS_mknod, { ANY, S_IFIFO | 0600, 0 }), ALLOW);
	ck_assert_uint_eq(ASK(SYS_mknodat, { ANY, ANY, 0600, 0 }), ALLOW);
	ck_assert_uint_eq(ASK(SYS_mknod, { ANY, S_IFCHR | 0600, 0 }), NOTIFY);
	ck_assert_uint_eq(ASK(SYS_mknodat, { ANY, ANY, S_IFBLK | 0600, 0 }), NOTIFY);
	discard();
}
END_TEST

/* A socket that listens takes a port, bound or not. */
START_TEST(test_listening_in_the_network_of_the_host) {
	static const struct {
		const char *key, *value;
		uint32_t expected;
	} cases[] = { { "tcp_connect", "443", NOTIFY },
		      { "tcp_bind", "8080", ALLOW },
		      { "calls", "listen", ALLOW } };
	struct wf_policy *policy = policy_new(1);

	ck_assert_int_eq(wf_policy_add(policy, "namespaces", "none"), 0);
	ck_assert_int_eq(wf_policy_add(policy, "namespaces", "user"), 0);
	ck_assert_int_eq(wf_policy_add(policy, "socket", "unix"), 0);
	ck_assert_int_eq(wf_policy_add(policy, "socket", _i < 3 ? "inet" : "unix"), 0);
	if (_i < 3)
		ck_assert_int_eq(wf_policy_add(policy, cases[_i].key, cases[_i].value), 0);
	compile(policy, true);
	ck_assert_uint_eq(ASK(SYS_listen, { ANY, ANY }), _i < 3 ? cases[_i].expected : ALLOW);
	discard();
}
END_TEST

/* Terminals stay out of reach of those who may control a device. */
START_TEST(test_devices_are_no_terminals) {
	struct wf_policy *policy = policy_new(_i);

	ck_assert_int_eq(wf_policy_add(policy, "device", "/dev/null"), 0);
	compile(policy, true);
	ck_assert_uint_eq(ASK(SYS_ioctl, { 3, 0xc0186201 }), ALLOW);
	ck_assert_uint_eq(ASK(SYS_ioctl, { 3, TIOCSTI }), NOTIFY);
	ck_assert_uint_eq(ASK(SYS_ioctl, { 3, TIOCLINUX }), NOTIFY);
	discard();
}
END_TEST

/* --- the kernel agrees --------------------------------------------------------------------- */

static bool refuses(long number, long first, long second, int error) {
	errno = 0;
	return syscall(number, first, second, 0, 0, 0, 0) == -1 && errno == error;
}

/* The number of the first line that does not hold. */
static _Noreturn void try_it(int preset) {
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_probe() == 0)
		_exit(1);
	if (filter_install(&filter, false) != 0 || filter_probe() < 0)
		_exit(2);
	if (getpid() <= 0 || syscall(SYS_gettid) <= 0)
		_exit(3);
	if (!refuses(SYS_unshare, CLONE_NEWUSER, 0, EPERM) || !refuses(CALL_CLONE3, 0, 0, ENOSYS))
		_exit(4);
	if (!refuses(SYS_socket, AF_PACKET, SOCK_RAW, EPERM))
		_exit(5);
	if (!refuses(SYS_close, -1, 0, EBADF))
		_exit(6);
	if (preset == PURE && !refuses(SYS_chdir, 0, 0, EPERM))
		_exit(7);
	if (preset != PURE && !refuses(SYS_chdir, 0, 0, EFAULT))
		_exit(8);
	_exit(0);
}

START_TEST(test_kernel_agrees) {
	int status;
	pid_t pid;

	compile_preset(_i, false);
	pid = fork();
	if (pid == 0)
		try_it(_i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %d", presets[_i],
		      status);
	discard();
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("filter");

	tcase_add_loop_test(test_case, test_zygote_can_live_under_its_filter, 0, 2 * N_PRESETS);
	tcase_add_test(test_case, test_which_policies_suit_the_zygote);
	tcase_add_loop_test(test_case, test_entering_is_allowed_to_the_letter, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_presets_allow_their_groups_and_no_more, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_unknown_calls_are_refused, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_refusals_without_a_listener, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_filter_shows_that_it_is_in_force, 0, 2 * N_PRESETS);
	tcase_add_loop_test(test_case, test_other_abis_are_nobodys, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_arguments_decide, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_devices_are_no_terminals, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_ready_filters, 0, 2 * N_PRESETS);
	tcase_add_test(test_case, test_no_ready_filter_for_others);
	tcase_add_test(test_case, test_no_device_nodes);
	tcase_add_loop_test(test_case, test_no_signals_by_descriptors, 0, N_PRESETS);
	tcase_add_loop_test(test_case, test_listening_in_the_network_of_the_host, 0, 4);
	tcase_add_loop_test(test_case, test_kernel_agrees, 0, N_PRESETS);
	return fixture_run("filter", test_case);
}
