/* SPDX-License-Identifier: MIT
 *
 * The image of test_zygote.c. What its preload does is told by the preload argument, a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <warmfork/task.h>

static char preloaded[64];
static int after_forks, initialized;

/* --- preload ------------------------------------------------------------------------------- */

static void *idle_thread(void *context) {
	for (;;)
		(void)pause();
	return context;
}

static int leave_thread(void) {
	pthread_t thread;

	return pthread_create(&thread, NULL, idle_thread, NULL);
}

static int leave_lock(void) {
	char path[] = "/tmp/wf-toy-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	(void)unlink(path);
	return fd < 0 || flock(fd, LOCK_EX) < 0;
}

static int leave_child(void) {
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	return pid < 0;
}

static int leave_signals(void) {
	sigset_t set;

	(void)signal(SIGUSR1, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static int drop_kill(void) {
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return 1;
	data[0].effective &= ~(1U << CAP_KILL);
	return syscall(SYS_capset, &header, data) < 0;
}

/* As a container may do whose list of system calls is older than this one. */
static int refuse_pidfds(void) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0;
}

static int leave_timer(void) {
	const struct itimerval hour = { .it_value.tv_sec = 3600 };

	return setitimer(ITIMER_REAL, &hour, NULL);
}

static int preload(const struct wf_preload_info *info) {
	(void)snprintf(preloaded, sizeof preloaded, "%.*s", (int)info->argument_size,
		       (const char *)info->argument);
	(void)printf("preload says %s\n", preloaded);
	(void)fflush(stdout);
	if (strcmp(preloaded, "fail") == 0)
		return 3;
	if (strcmp(preloaded, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(preloaded, "hang") == 0)
		for (;;)
			(void)pause();
	if (strcmp(preloaded, "thread") == 0)
		return leave_thread();
	if (strcmp(preloaded, "descriptor") == 0)
		return open("/dev/zero", O_RDONLY) < 0;
	if (strcmp(preloaded, "lock") == 0)
		return leave_lock();
	if (strcmp(preloaded, "child") == 0)
		return leave_child();
	if (strcmp(preloaded, "signals") == 0)
		return leave_signals();
	if (strcmp(preloaded, "no kill") == 0)
		return drop_kill();
	if (strcmp(preloaded, "no zombies") == 0)
		return signal(SIGCHLD, SIG_IGN) == SIG_ERR;
	if (strcmp(preloaded, "no pidfds") == 0)
		return refuse_pidfds();
	if (strcmp(preloaded, "timer") == 0)
		return leave_timer();
	return 0;
}

static void after_fork(const struct wf_worker_info *info) {
	(void)info;
	after_forks++;
}

static int initialize(const struct wf_worker_info *info) {
	(void)info;
	initialized++;
	while (strcmp(preloaded, "no pidfds") == 0) /* and does not end by itself */
		(void)pause();
	return strcmp(preloaded, "uninitializable") == 0 ? 5 : 0;
}

/* --- tasks --------------------------------------------------------------------------------- */

static int do_echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size) < 0;
}

static int do_crash(struct wf_call *call) {
	volatile int *nowhere = (volatile int *)(uintptr_t)(16 * wf_call_task_number(call));

	*nowhere = 1;
	return 0;
}

static int do_abort(struct wf_call *call) {
	(void)call;
	abort();
}

static int do_exit(struct wf_call *call) {
	size_t size;
	const char *input = wf_call_input(call, &size);

	exit(size > 0 ? input[0] - '0' : 0);
}

static int do_fail(struct wf_call *call) {
	return wf_fail(call, 7, "no such word: %s", "xyzzy");
}

/* Tells a test that waits for it, if the task came with a descriptor. */
static void tell_started(struct wf_call *call) {
	if (wf_call_descriptor(call, 0) >= 0 && write(wf_call_descriptor(call, 0), "s", 1) != 1)
		abort();
}

/* Until the first signal that is handled; one that comes at once counts too. */
static int do_sleep(struct wf_call *call) {
	sigset_t all, old;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &old);
	tell_started(call);
	(void)sigsuspend(&old);
	return sigprocmask(SIG_SETMASK, &old, NULL);
}

/* A process that has left every group and session, and whose parent is gone. Returns its pid. */
static int do_daemon(struct wf_call *call) {
	pid_t pid, parent;
	siginfo_t info;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 1;
	parent = fork();
	if (parent == 0) {
		(void)setsid();
		if (fork() == 0) {
			(void)setsid();
			pid = getpid();
			if (write(ends[1], &pid, sizeof pid) != sizeof pid)
				_exit(1);
			for (;;)
				(void)pause();
		}
		_exit(0);
	}
	if (read(ends[0], &pid, sizeof pid) != sizeof pid ||
	    waitid(P_PID, (id_t)parent, &info, WEXITED | WNOWAIT) < 0)
		return 1;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return wf_return(call, &pid, sizeof pid) < 0;
}

static int do_daemon_then_sleep(struct wf_call *call) {
	(void)do_daemon(call);
	tell_started(call);
	for (;;)
		(void)pause();
	return 0;
}

static int do_large(struct wf_call *call) {
	const size_t size = 1 << 20;
	char *buffer = wf_return_buffer(call, size);

	if (!buffer)
		return 1;
	memset(buffer, 'x', size);
	return 0;
}

/* The same with a child that holds the mapping. */
static int do_large_shared(struct wf_call *call) {
	int r = do_large(call);

	if (fork() == 0)
		for (;;)
			(void)pause();
	return r;
}

/* Changes all that a worker can put back. */
static int do_mess(struct wf_call *call) {
	struct rlimit limit;
	const struct itimerval soon = { .it_value.tv_sec = 1000 };
	sigset_t set;

	(void)call;
	(void)setenv("WF_TOY", "changed", 1);
	(void)unsetenv("PATH");
	(void)chdir("/");
	(void)umask(0777);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)setpgid(0, getpgid(getppid()));
	(void)prctl(PR_SET_NAME, "mess", 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGRTMAX, SIG_IGN);
	(void)signal(SIGSEGV, SIG_DFL);
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)setitimer(ITIMER_REAL, &soon, NULL);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 3;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)close(0);
	(void)close(1);
	if (fork() == 0)
		for (;;)
			(void)pause();
	return 0;
}

/* One line of all that do_mess() changes. */
static int do_state(struct wf_call *call) {
	char text[1024], directory[256] = "";
	struct sigaction term, segv, real_time;
	int reaps = 0, death = 0;
	char name[16] = "";
	struct rlimit limit;
	struct itimerval timer;
	struct stat in, out;
	sigset_t mask;
	mode_t mode = umask(0);
	int n;

	(void)umask(mode);
	(void)getcwd(directory, sizeof directory);
	(void)sigaction(SIGTERM, NULL, &term);
	(void)sigaction(SIGSEGV, NULL, &segv);
	(void)sigaction(SIGRTMAX, NULL, &real_time);
	(void)prctl(PR_GET_CHILD_SUBREAPER, &reaps, 0, 0, 0);
	(void)prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
	(void)prctl(PR_GET_NAME, name, 0, 0, 0);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	(void)getitimer(ITIMER_REAL, &timer);
	n = snprintf(text, sizeof text, "%s %d %s %o %d %d %d %ld %d %d %d %d %d %d %.4s",
		     getenv("WF_TOY") ? getenv("WF_TOY") : "unset", getenv("PATH") != NULL,
		     directory, (unsigned)mode, term.sa_handler == SIG_DFL,
		     segv.sa_handler == SIG_DFL, sigismember(&mask, SIGHUP), timer.it_value.tv_sec,
		     fstat(0, &in), fstat(1, &out), real_time.sa_handler == SIG_DFL,
		     getpgrp() == getpid(), reaps, death, name);
	return wf_return(call, text, (size_t)n) < 0;
}

static int do_thread(struct wf_call *call) {
	(void)call;
	return leave_thread();
}

static int do_disown(struct wf_call *call) {
	(void)call;
	return prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static int do_privileges(struct wf_call *call) {
	(void)call;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int do_forget_stdin(struct wf_call *call) {
	(void)call;
	stdin = NULL;
	return 0;
}

static int do_close_stdio(struct wf_call *call) {
	(void)call;
	return fclose(stdin);
}

static int do_leak(struct wf_call *call) {
	(void)call;
	for (int i = 0; i < 100; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return 1;
	return 0;
}

/* A child that has become another user; a preload without CAP_KILL has made it unkillable for
 * zygote and worker. */
static int do_other_user(struct wf_call *call) {
	int ends[2];
	char byte;

	(void)call;
	if (pipe(ends) < 0)
		return 1;
	if (fork() == 0) {
		if (setresuid(1234, 1234, 1234) == 0 && write(ends[1], "s", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	(void)close(ends[1]);
	(void)!read(ends[0], &byte, 1);
	return close(ends[0]);
}

static int do_facts(struct wf_call *call) {
	char text[128];
	int n =
	    snprintf(text, sizeof text, "%d %d %d %llu %s", after_forks, initialized,
		     wf_call_slot(call), (unsigned long long)wf_call_task_number(call), preloaded);

	return wf_return(call, text, (size_t)n) < 0;
}

static int do_print(struct wf_call *call) {
	size_t size;
	const char *input = wf_call_input(call, &size);

	return printf("%.*s", (int)size, input) < 0;
}

static int do_read_descriptor(struct wf_call *call) {
	char text[64];
	ssize_t n = read(wf_call_descriptor(call, 0), text, sizeof text);

	return n < 0 ? 1 : wf_return(call, text, (size_t)n) < 0;
}

static int do_return_in_child(struct wf_call *call) {
	(void)fork();
	return wf_return(call, "once", 4) < 0;
}

static int do_trace_me(struct wf_call *call) {
	(void)call;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return 1;
	return raise(SIGUSR1);
}

/* Ends while a child of its own traces it, which has no interest in that and goes on. */
static int do_end_traced(struct wf_call *call) {
	pid_t self = getpid();
	int ends[2];
	char byte = 0;

	(void)call;
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (pipe(ends) < 0)
		return 1;
	if (fork() == 0) {
		byte = ptrace(PTRACE_SEIZE, self, NULL, NULL) == 0 ? 's' : 'f';
		(void)!write(ends[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	(void)!read(ends[0], &byte, 1);
	_exit(byte == 's' ? 9 : 8);
}

static int find_channel(void) {
	socklen_t size = sizeof(int);
	int type;

	for (int fd = 3; fd < 1024; fd++, size = sizeof type)
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		    type == SOCK_SEQPACKET)
			return fd;
	return -1;
}

static int do_shut_channel(struct wf_call *call) {
	(void)call;
	return shutdown(find_channel(), SHUT_RDWR);
}

/* Replaces it by a socket that takes whatever the worker sends. */
static int do_replace_channel(struct wf_call *call) {
	int channel = find_channel(), pair[2];

	(void)call;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return 1;
	return dup2(pair[0], channel) < 0;
}

WF_MODULE(.preload = preload, .after_fork = after_fork, .initialize = initialize,
	  .functions = WF_FUNCTIONS(
	      { "echo", do_echo }, { "crash", do_crash }, { "abort", do_abort },
	      { "exit", do_exit }, { "fail", do_fail }, { "sleep", do_sleep },
	      { "daemon", do_daemon }, { "daemon then sleep", do_daemon_then_sleep },
	      { "large", do_large }, { "large, shared", do_large_shared }, { "mess", do_mess },
	      { "state", do_state }, { "thread", do_thread }, { "facts", do_facts },
	      { "print", do_print }, { "read descriptor", do_read_descriptor },
	      { "return in child", do_return_in_child }, { "leak", do_leak },
	      { "disown", do_disown }, { "privileges", do_privileges },
	      { "forget stdin", do_forget_stdin }, { "close stdio", do_close_stdio },
	      { "other user", do_other_user }, { "trace me", do_trace_me },
	      { "end traced", do_end_traced }, { "shut channel", do_shut_channel },
	      { "replace channel", do_replace_channel }));
