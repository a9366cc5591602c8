/* SPDX-License-Identifier: MIT
 *
 * Attacks on rarely used entry points of the kernel: facilities that a task does not need, system
 * calls of another ABI, and code in place of data. The host sees the result as a descriptor of the
 * attacker, or it is proven by something that works only if the attack does.
 *
 * The machine code is x86-64, like the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/host.h"
#include "cli/attack/program.h"

#define PAGE        ((size_t)4096)
#define ANSWER      42
#define X32_BIT     0x40000000L
#define I386_WRITE  4
#define I386_GETPID 20

/* The host looks for a descriptor of that name. */
static void look_for(struct attack_bout *bout, const char *name) {
	bout->seen = attack_count_descriptors(bout->pid, name) > 0;
}

static const char *lacks(bool missing, const char *reason) {
	return missing ? reason : NULL;
}

/* --- 41: io_uring -------------------------------------------------------------------------- */

static int ring(struct wf_call *call) {
	struct io_uring_params parameters = { .flags = 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);

	attack_hold(call);
	return attack_answer(call, fd >= 0, NULL, 0);
}

static void look_for_ring(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	look_for(bout, "[io_uring]");
}

static const char *no_ring(void) {
	struct io_uring_params parameters = { .flags = 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &parameters);
	bool missing = fd < 0 && (errno == ENOSYS || errno == EPERM);

	if (fd >= 0)
		(void)close(fd);
	return lacks(missing, "io_uring is not in this kernel, or kernel.io_uring_disabled is set");
}

/* --- 42: userfaultfd ----------------------------------------------------------------------- */

static int fault(struct wf_call *call) {
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	attack_hold(call);
	return attack_answer(call, fd >= 0, NULL, 0);
}

static void look_for_fault(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	look_for(bout, "[userfaultfd]");
}

static const char *no_fault(void) {
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd >= 0)
		(void)close(fd);
	return lacks(fd < 0 && errno == ENOSYS, "userfaultfd(2) is not in this kernel");
}

/* --- 43: keys ------------------------------------------------------------------------------ */

static int read_key(struct wf_call *call) {
	char loot[64];
	long n = syscall(SYS_keyctl, KEYCTL_READ, attack_brief(call)->key, loot, sizeof loot);

	if (n <= 0) {
		n = syscall(SYS_request_key, "user", "warmfork attack", NULL,
			    KEY_SPEC_SESSION_KEYRING);
		n = n > 0 ? syscall(SYS_keyctl, KEYCTL_READ, n, loot, sizeof loot) : 0;
	}
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

/* The key is in the session's keyring, which the pool has inherited from us. */
static bool make_key(struct attack_ground *ground) {
	attack_make_token(ground->key_token);
	ground->brief.key =
	    (int32_t)syscall(SYS_add_key, "user", "warmfork attack", ground->key_token,
			     (size_t)ATTACK_TOKEN, KEY_SPEC_SESSION_KEYRING);
	return ground->brief.key > 0;
}

static enum attack_verdict judge_key(struct attack_ground *ground, const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->key_token));
}

static void remove_key(struct attack_ground *ground) {
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, ground->brief.key, KEY_SPEC_SESSION_KEYRING);
}

static const char *no_key(void) {
	long keyring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	return lacks(keyring < 0 && (errno == ENOSYS || errno == EPERM),
		     "keyrings are not in this kernel, or forbidden to us");
}

/* --- 44: bpf, perf_event_open --------------------------------------------------------------- */

static int open_perf(void) {
	struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE,
					 .size = sizeof event,
					 .config = PERF_COUNT_SW_TASK_CLOCK,
					 .exclude_kernel = 1,
					 .exclude_hv = 1 };

	return (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int open_map(void) {
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
}

static int measure(struct wf_call *call) {
	int perf = open_perf(), map = open_map();

	attack_hold(call);
	return attack_answer(call, perf >= 0 || map >= 0, NULL, 0);
}

static void look_for_events(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_count_descriptors(bout->pid, "[perf_event]") > 0 ||
		     attack_count_descriptors(bout->pid, "bpf-map") > 0;
}

static const char *no_events(void) {
	int perf = open_perf(), map = open_map();

	if (perf >= 0)
		(void)close(perf);
	if (map >= 0)
		(void)close(map);
	return lacks(perf < 0 && map < 0,
		     "kernel.perf_event_paranoid and kernel.unprivileged_bpf_disabled, or the "
		     "kernel's configuration, forbid both to us");
}

/* --- 48: a program of its own -------------------------------------------------------------- */

/* Executes a memory file or a file in the output. Returns if nothing was executed. */
static void execute_from(int fd) {
	char name[] = "nobody", path[64], *arguments[] = { name, NULL };

	if (fd < 0)
		return;
	(void)syscall(SYS_execveat, fd, "", arguments, NULL, AT_EMPTY_PATH);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	(void)execv(path, arguments);
}

static int write_program(struct wf_call *call, const char *path) {
	int fd = memfd_create("program", MFD_CLOEXEC), line;
	struct attack_program program;
	char text[ATTACK_TOKEN + 1];

	if (path) {
		(void)close(fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	}
	/* the program writes a letter and the nonce to this, so it has to stay open */
	line = fcntl(attack_line(call), F_DUPFD, 0);
	(void)snprintf(text, sizeof text, "n%s", attack_brief(call)->nonce);
	attack_program_make(&program, line, text);
	if (write(fd, &program, sizeof program) != (ssize_t)sizeof program)
		return -1;
	if (!path)
		return fd;
	(void)close(fd); /* a file that is open for writing cannot be executed */
	return open(path, O_PATH | O_CLOEXEC);
}

static int execute_own(struct wf_call *call) {
	char path[ATTACK_PATH + 16];

	execute_from(write_program(call, NULL));
	(void)snprintf(path, sizeof path, "%s/program", attack_brief(call)->out);
	execute_from(write_program(call, path));
	return attack_answer(call, false, NULL, 0);
}

/* Judges whether its program has signed. */
static enum attack_verdict judge_signed(struct attack_ground *ground,
					const struct attack_bout *bout) {
	(void)ground;
	return attack_verdict(bout->signed_off);
}

static const char *no_memory_program(void) {
	char value[16];

	if (attack_no_sealed_memfd())
		return attack_no_sealed_memfd();
	attack_proc(getpid(), "../sys/vm/memfd_noexec", value, sizeof value);
	return lacks(value[0] == '2', "vm.memfd_noexec is 2: the kernel forbids it to everybody");
}

static const char *no_data_program(void) {
	return attack_sanitized() ? attack_sanitized() : attack_no_sealed_memfd();
}

/* --- 49: data that runs -------------------------------------------------------------------- */

static const unsigned char code[] = {
	0xf3, 0x0f,   0x1e, 0xfa,    /* endbr64 */
	0xb8, ANSWER, 0,    0,    0, /* mov $42,%eax */
	0xc3,                        /* ret */
};

static bool runs(void *page) {
	int (*function)(void);

	if (page == MAP_FAILED)
		return false;
	memcpy(&function, &page, sizeof function);
	return function() == ANSWER;
}

static bool execute_page(void) {
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	memcpy(page, code, sizeof code);
	return (mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0 ||
		syscall(SYS_pkey_mprotect, page, PAGE, PROT_READ | PROT_EXEC, -1) == 0) &&
	       runs(page);
}

/* Written as a file, and mapped like a library. */
static bool execute_file(int fd) {
	if (fd < 0 || pwrite(fd, code, sizeof code, 0) != (ssize_t)sizeof code ||
	    ftruncate(fd, PAGE) < 0)
		return false;
	return runs(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
}

static bool execute_segment(void) {
	int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
	void *page = segment < 0 ? MAP_FAILED : shmat(segment, NULL, SHM_EXEC);

	if (segment >= 0)
		(void)shmctl(segment, IPC_RMID, NULL);
	if (page == MAP_FAILED) /* shmat returns the same on failure */
		return false;
	memcpy(page, code, sizeof code);
	return runs(page);
}

static int execute_data(struct wf_call *call) {
	char path[ATTACK_PATH + 8];
	bool done;

	(void)snprintf(path, sizeof path, "%s/code", attack_brief(call)->out);
	done = execute_page() || execute_segment() ||
	       execute_file(memfd_create("code", MFD_CLOEXEC)) ||
	       execute_file(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700));
	return attack_answer(call, done, NULL, 0);
}

/* --- 50: personality ----------------------------------------------------------------------- */

static int change_personality(struct wf_call *call) {
	(void)personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
	attack_hold(call);
	return attack_answer(call, (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0, NULL, 0);
}

static void look_at_personality(struct attack_ground *ground, struct attack_bout *bout) {
	char flags[32];

	(void)ground;
	attack_proc(bout->pid, "personality", flags, sizeof flags);
	bout->seen = strlen(flags) >= 8 && flags[2] == '4'; /* 00440000 */
}

/* --- 51, 52: calls of other architectures -------------------------------------------------- */

static int call_x32(struct wf_call *call) {
	long pid = syscall(X32_BIT | SYS_getpid);

	return attack_answer(call, pid == (long)getpid(), NULL, 0);
}

static const char *no_x32(void) {
	return lacks(syscall(X32_BIT | SYS_getpid) < 0,
		     "the kernel has no x32 system calls (CONFIG_X86_X32_ABI)");
}

#if defined(__x86_64__)
/* The legacy entry point has only 32 bits for an address. */
static int call_i386(struct wf_call *call) {
	char *message = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r = I386_WRITE;
	int length;

	if (message == MAP_FAILED)
		return attack_answer(call, false, NULL, 0);
	length = snprintf(message, PAGE, "n%s", attack_brief(call)->nonce);
	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"((long)attack_line(call)), "c"(message), "d"((long)length + 1)
			 : "memory", "r8", "r9", "r10", "r11");
	return attack_answer(call, r > 0, NULL, 0);
}
#else
static int call_i386(struct wf_call *call) {
	return attack_answer(call, false, NULL, 0);
}
#endif

/* Tried in a child, because the call kills where there is no such entry point. */
static const char *no_i386(void) {
#if defined(__x86_64__)
	siginfo_t end = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		long r = I386_GETPID;

		__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
		_exit(r > 0 ? 0 : 1);
	}
	if (pid < 0 || waitid(P_PID, (id_t)pid, &end, WEXITED) < 0)
		return "it is not known whether the kernel has i386 system calls";
	return lacks(end.si_code != CLD_EXITED || end.si_status != 0,
		     "the kernel has no i386 system calls (CONFIG_IA32_EMULATION)");
#else
	return "there is no i386 on this machine";
#endif
}

/* --- 53: the time without a call ----------------------------------------------------------- */

static int read_clock(struct wf_call *call) {
	return attack_answer(call, false, NULL, 0);
}

static const char *clock_is_no_secret(void) {
	return "the time of day is no secret: the vDSO is mapped in every process";
}

/* --- 54: a filter in front of the filter --------------------------------------------------- */

static int put_filter(struct wf_call *call) {
	struct sock_filter notify[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr)),
					BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_uname, 0, 1),
					BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
					BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { .len = sizeof notify / sizeof notify[0], .filter = notify };
	long fd;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &program);
	attack_hold(call);
	return attack_answer(call, fd >= 0, NULL, 0);
}

static void look_for_filter(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	look_for(bout, "seccomp notify");
}

/* ------------------------------------------------------------------------------------------- */

#define SECCOMP (1U << ATTACK_SECCOMP)

static const struct attack rows[] = {
	{ 41, "io_uring", "ring", ring, .stops = SECCOMP, .look = look_for_ring,
	  .judge = attack_judge_seen, .inapplicable = no_ring },
	{ 42, "userfaultfd", "fault", fault, .stops = SECCOMP, .look = look_for_fault,
	  .judge = attack_judge_seen, .inapplicable = no_fault },
	{ 43, "keys of the session", "read_key", read_key, .stops = SECCOMP, .prepare = make_key,
	  .judge = judge_key, .clean = remove_key, .inapplicable = no_key },
	{ 44, "bpf, perf_event_open", "measure", measure, .stops = SECCOMP, .look = look_for_events,
	  .judge = attack_judge_seen, .inapplicable = no_events },
	{ 48, "execute a program that it has made", "execute_own", execute_own,
	  .judge = judge_signed, .inapplicable = no_memory_program },
	{ 49, "execute what was written", "execute_data", execute_data,
	  .judge = attack_judge_belief, .inapplicable = no_data_program },
	{ 50, "personality: no randomized addresses", "change_personality", change_personality,
	  .stops = SECCOMP, .look = look_at_personality, .judge = attack_judge_seen,
	  .inapplicable = attack_sanitized },
	{ 51, "x32 system calls", "call_x32", call_x32, .stops = SECCOMP,
	  .judge = attack_judge_belief, .inapplicable = no_x32 },
	{ 52, "i386 system calls by int 0x80", "call_i386", call_i386, .stops = SECCOMP,
	  .judge = judge_signed, .inapplicable = no_i386 },
	{ 53, "the time without a system call", "read_clock", read_clock,
	  .judge = attack_judge_belief, .inapplicable = clock_is_no_secret },
	{ 54, "a second filter with a listener", "put_filter", put_filter, .stops = SECCOMP,
	  .look = look_for_filter, .judge = attack_judge_seen },
};

const struct attack_rows attack_kernel = { rows, sizeof rows / sizeof rows[0] };
