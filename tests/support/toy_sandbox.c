/* SPDX-License-Identifier: MIT
 *
 * The steps of the sandboxed toy; toy_sandbox.h says what they do. Each makes the system call that
 * it is named after and no other that a policy might refuse, so that what is noted is about that
 * one.
 */
#include "tests/support/toy_sandbox.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <warmfork/task.h>

#include "tests/support/number.h"
#include "tests/support/search.h"

#define TEXT_MAX        8192
#define PATH_SIZE       512
#define CROWD_MAX       256
#define DESCRIPTORS_MAX 4096
#define X32_BIT         0x40000000L

/* What a step is told, and where it tells. */
struct step {
	const struct wf_call *call; /* NULL: in the initializer */
	const char *argument;
	char *text;
	size_t size;
};

static void say(const struct step *step, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct step *step, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(step->text, step->size, format, arguments);
	va_end(arguments);
}

static void say_error(const struct step *step, int error) {
	const char *name = error == 0 ? "ok" : strerrorname_np(error);

	say(step, "%s", name != NULL ? name : "an unknown errno");
}

/* What a call returned that gives -1 and errno. */
static void say_result(const struct step *step, long result) {
	say_error(step, result < 0 ? errno : 0);
}

/* The first word of the argument; returns what follows it. */
static const char *word(const char *argument, char ret[PATH_SIZE]) {
	const char *at = argument + strspn(argument, " ");
	size_t length = strcspn(at, " ");

	snprintf(ret, PATH_SIZE, "%.*s", (int)length, at);
	return at + length + strspn(at + length, " ");
}

/* --- files --- */

static void step_read(const struct step *step) {
	char text[256];
	int fd = open(step->argument, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0) {
		say_error(step, errno);
	} else {
		text[n] = '\0';
		say(step, "%.*s", (int)strcspn(text, "\n;"), text);
	}
	if (fd >= 0)
		close(fd);
}

static void step_write(const struct step *step) {
	char path[PATH_SIZE];
	const char *text = word(step->argument, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	say_result(step, fd < 0 ? -1 : write(fd, text, strlen(text)));
	if (fd >= 0)
		close(fd);
}

static int count_entries(const char *path, bool numbers_only) {
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int n = 0;

	if (directory == NULL)
		return -1;
	while ((entry = readdir(directory)) != NULL)
		n += numbers_only ? number_at(entry->d_name, NULL) > 0 : entry->d_name[0] != '.';
	closedir(directory);
	return n;
}

static void say_count(const struct step *step, int n) {
	if (n < 0)
		say_error(step, errno);
	else
		say(step, "%d", n);
}

static void step_list(const struct step *step) {
	say_count(step, count_entries(step->argument, false));
}

static void step_processes(const struct step *step) {
	say_count(step, count_entries("/proc", true));
}

static void step_look(const struct step *step) {
	struct stat status;

	say_result(step, stat(step->argument, &status));
}

static void step_make(const struct step *step) {
	say_result(step, mkdir(step->argument, 0755));
}

static void step_remove(const struct step *step) {
	say_result(step, unlink(step->argument));
}

static void step_move(const struct step *step) {
	char from[PATH_SIZE], to[PATH_SIZE];

	word(word(step->argument, from), to);
	say_result(step, rename(from, to));
}

static void step_cut(const struct step *step) {
	say_result(step, truncate(step->argument, 0));
}

static void step_mode(const struct step *step) {
	const char *path = step->argument;
	mode_t mode = 0;

	for (; *path >= '0' && *path <= '7'; path++)
		mode = mode * 8 + (mode_t)(*path - '0');
	say_result(step, chmod(path + strspn(path, " "), mode));
}

/* SIGXFSZ is ignored, so that the limit is an errno. */
static void step_fill(const struct step *step) {
	static const char zeroes[4096];
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	char path[PATH_SIZE];
	long left = number_at(word(step->argument, path), NULL), done = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd;

	sigaction(SIGXFSZ, &ignore, NULL);
	while (n >= 0 && done < left) {
		n = write(fd, zeroes,
			  (size_t)(left - done) < sizeof zeroes ? (size_t)(left - done)
								: sizeof zeroes);
		done += n > 0 ? n : 0;
	}
	if (n < 0 && done == 0)
		say_error(step, errno);
	else
		say(step, "%ld%s%s", done, n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
	if (fd >= 0)
		close(fd);
}

static void step_directory(const struct step *step) {
	char path[PATH_SIZE];

	if (chdir(step->argument) < 0 || getcwd(path, sizeof path) == NULL)
		say_error(step, errno);
	else
		say(step, "%s", path);
}

static void step_again(const struct step *step) {
	for (;;) {
		int fd = open(step->argument, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
	}
}

static void step_many(const struct step *step) {
	char prefix[PATH_SIZE], path[PATH_SIZE + 32];
	long n = number_at(word(step->argument, prefix), NULL), made = 0;

	for (long i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s%ld", prefix, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		made += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	say(step, "%ld", made);
}

/* --- processes --- */

static void say_status(const struct step *step, pid_t pid) {
	int status;

	if (waitpid(pid, &status, 0) < 0)
		say_error(step, errno);
	else if (WIFEXITED(status))
		say(step, "exit %d", WEXITSTATUS(status));
	else
		say(step, "signal %d", WTERMSIG(status));
}

static void step_run(const struct step *step) {
	char path[PATH_SIZE], argument[PATH_SIZE];
	pid_t pid;
	int error;

	word(word(step->argument, path), argument);
	error = posix_spawn(&pid, path, NULL, NULL,
			    (char *const[]){ path, argument[0] != '\0' ? argument : NULL, NULL },
			    environ);
	if (error != 0)
		say_error(step, error);
	else
		say_status(step, pid);
}

static void step_fork(const struct step *step) {
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	if (pid < 0)
		say_error(step, errno);
	else
		say_status(step, pid);
}

static void *do_nothing(void *nothing) {
	return nothing;
}

static void step_thread(const struct step *step) {
	pthread_t thread;
	int error = pthread_create(&thread, NULL, do_nothing, NULL);

	if (error == 0)
		pthread_join(thread, NULL);
	say_error(step, error);
}

static void step_pid(const struct step *step) {
	say(step, "%d", (int)getpid());
}

static void step_ppid(const struct step *step) {
	say(step, "%d", (int)getppid());
}

static void step_crowd(const struct step *step) {
	long n = number_at(step->argument, NULL), made = 0;
	static pid_t children[CROWD_MAX];

	while (made < n && made < CROWD_MAX && (children[made] = fork()) > 0)
		made++;
	if (made < n && children[made] == 0)
		for (;;)
			pause();
	say(step, "%ld", made);
	for (long i = 0; i < made; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
}

static void step_swarm(const struct step *step) {
	char path[PATH_SIZE];
	long n = number_at(step->argument, NULL);
	pid_t pid = 1;

	(void)word(word(step->argument, path), path);
	for (long i = 0; i < n && pid > 0; i++)
		pid = fork();
	if (pid == 0) {
		(void)open(path, O_RDONLY | O_CLOEXEC);
		_exit(0);
	}
	say_result(step, pid);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* --- steps of descendants --- */

static void run_step(struct step *step, char *text);

static void run_below(const struct step *step, char *steps, int to) {
	char answer[256], *rest = steps, *one;

	while ((one = strsep(&rest, "|")) != NULL) {
		struct step below = { step->call, NULL, answer, sizeof answer };

		run_step(&below, one);
		dprintf(to, "%s%s", answer, rest != NULL ? "|" : "");
	}
}

/* Answers what they said; nothing if they were killed. */
static void say_from_below(const struct step *step, int from) {
	size_t used = 0;
	ssize_t n;

	while ((n = read(from, step->text + used, step->size - 1 - used)) > 0)
		used += (size_t)n;
	step->text[used] = '\0';
	close(from);
}

static void step_deep(const struct step *step) {
	char number[PATH_SIZE], steps[PATH_SIZE];
	int ends[2];
	pid_t pid = 0;

	snprintf(steps, sizeof steps, "%s", word(step->argument, number));
	if (pipe2(ends, O_CLOEXEC) < 0) {
		say_error(step, errno);
		return;
	}
	for (int i = atoi(number); i > 0 && pid == 0; i--) {
		pid = fork();
		if (pid == 0 && i == 1)
			run_below(step, steps, ends[1]);
		else if (pid == 0)
			continue;
		close(ends[1]);
		if (i < atoi(number) || pid <= 0) {
			waitpid(pid, NULL, 0);
			_exit(0);
		}
	}
	say_from_below(step, ends[0]);
	waitpid(pid, NULL, 0);
}

static void step_left(const struct step *step) {
	char steps[PATH_SIZE], byte;
	int ends[2], parent[2];
	pid_t pid;

	snprintf(steps, sizeof steps, "%s", step->argument);
	if (pipe2(ends, O_CLOEXEC) < 0 || pipe2(parent, O_CLOEXEC) < 0) {
		say_error(step, errno);
		return;
	}
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			close(parent[1]);
			if (read(parent[0], &byte, 1) == 0)
				run_below(step, steps, ends[1]);
		}
		_exit(0);
	}
	close(parent[0]);
	close(parent[1]);
	close(ends[1]);
	waitpid(pid, NULL, 0);
	say_from_below(step, ends[0]);
}

/* It is there, and its parent has gone, when this returns. */
static void step_daemon(const struct step *step) {
	int there[2];
	char byte;
	pid_t pid;

	if (pipe2(there, O_CLOEXEC) < 0) {
		say_error(step, errno);
		return;
	}
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		if (write(there[1], "d", 1) == 1)
			for (;;)
				pause();
	}
	close(there[1]);
	say_error(step, pid > 0 && read(there[0], &byte, 1) == 1 ? 0 : EIO);
	close(there[0]);
	waitpid(pid, NULL, 0);
}

static void step_raise(const struct step *step) {
	say_result(step, raise((int)number_at(step->argument, NULL)));
}

static void step_signal(const struct step *step) {
	const char *rest;
	long pid = number_at(step->argument, &rest);

	say_result(step, kill((pid_t)pid, (int)number_at(rest, NULL)));
}

static void step_spin(const struct step *step) {
	int64_t left = (int64_t)number_at(step->argument, NULL) * 1000000;
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	left += now.tv_sec * 1000000000 + now.tv_nsec;
	while (now.tv_sec * 1000000000 + now.tv_nsec < left)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	say(step, "ok");
}

static void step_hang(const struct step *step) {
	(void)step;
	for (;;)
		pause();
}

/* --- the network --- */

static void step_socket(const struct step *step) {
	int fd = socket((int)number_at(step->argument, NULL), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	say_result(step, fd);
	if (fd >= 0)
		close(fd);
}

static struct sockaddr_in loopback_address(long port) {
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void step_connect(const struct step *step) {
	const struct sockaddr_in address = loopback_address(number_at(step->argument, NULL));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say_result(step, fd < 0 ? -1
				: connect(fd, (const struct sockaddr *)(const void *)&address,
					  sizeof address));
	if (fd >= 0)
		close(fd);
}

static void step_knock(const struct step *step) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", step->argument);
	say_result(step, fd < 0 ? -1
				: connect(fd, (const struct sockaddr *)(const void *)&address,
					  sizeof address));
	if (fd >= 0)
		close(fd);
}

/* Sends nothing: to whom a datagram would go. */
static void step_aim(const struct step *step) {
	const struct sockaddr_in address = loopback_address(number_at(step->argument, NULL));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	say_result(step, fd < 0 ? -1
				: connect(fd, (const struct sockaddr *)(const void *)&address,
					  sizeof address));
	if (fd >= 0)
		close(fd);
}

static int talk_to_itself(int server, int client) {
	struct sockaddr_in address = loopback_address(0);
	struct sockaddr *any = (struct sockaddr *)(void *)&address;
	socklen_t size = sizeof address;
	char byte = '\0';
	int peer;

	if (bind(server, any, size) < 0 || listen(server, 1) < 0 ||
	    getsockname(server, any, &size) < 0 || connect(client, any, size) < 0 ||
	    send(client, "x", 1, MSG_NOSIGNAL) != 1)
		return errno;
	peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0 || recv(peer, &byte, 1, 0) != 1)
		return errno;
	close(peer);
	return byte == 'x' ? 0 : EIO;
}

static void step_loopback(const struct step *step) {
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say_error(step, client < 0 ? errno : talk_to_itself(server, client));
	if (server >= 0)
		close(server);
	if (client >= 0)
		close(client);
}

/* --- memory and limits --- */

static void step_writable_code(const struct step *step) {
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say_result(step, map == MAP_FAILED ? -1 : munmap(map, 4096));
}

static void step_written_code(const struct step *step) {
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say_result(step, map == MAP_FAILED ? -1 : mprotect(map, 4096, PROT_READ | PROT_EXEC));
	if (map != MAP_FAILED)
		munmap(map, 4096);
}

static void step_allocate(const struct step *step) {
	size_t size = (size_t)number_at(step->argument, NULL) << 20;
	unsigned char *map =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED) {
		say_error(step, errno);
		return;
	}
	for (size_t i = 0; i < size; i += 4096)
		*(volatile unsigned char *)(map + i) = 1;
	munmap(map, size);
	say(step, "ok");
}

/* "killed" if that was more than the child may have. */
static void step_allocate_in_child(const struct step *step) {
	size_t size = (size_t)number_at(step->argument, NULL) << 20;
	int status = 0;
	pid_t pid = fork();

	if (pid < 0) {
		say_error(step, errno);
		return;
	}
	if (pid == 0) {
		unsigned char *map =
		    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; map != MAP_FAILED && i < size; i += 4096)
			*(volatile unsigned char *)(map + i) = 1;
		_exit(map == MAP_FAILED ? 1 : 0);
	}
	(void)waitpid(pid, &status, 0);
	say(step, WIFSIGNALED(status) ? "killed" : "ok");
}

static void step_descriptors(const struct step *step) {
	static int made[DESCRIPTORS_MAX];
	long wanted = number_at(step->argument, NULL), n = 0;

	while (n < wanted && n < DESCRIPTORS_MAX &&
	       (made[n] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
		n++;
	say(step, "%ld", n);
	for (long i = 0; i < n; i++)
		close(made[i]);
}

static void step_output(const struct step *step) {
	static const char text[1024];
	const char *rest;
	int fd = (int)number_at(step->argument, &rest);
	long left = number_at(rest, NULL);
	ssize_t n = 0;

	for (; left > 0 && n >= 0; left -= n)
		n = write(fd, text, (size_t)left < sizeof text ? (size_t)left : sizeof text);
	say_result(step, n);
}

static void step_limit(const struct step *step) {
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)number_at(step->argument, NULL), &limit) < 0)
		say_error(step, errno);
	else
		say(step, "%lld", (long long)limit.rlim_cur);
}

static void step_raise_limit(const struct step *step) {
	__rlimit_resource_t resource = (__rlimit_resource_t)number_at(step->argument, NULL);
	struct rlimit limit;

	if (getrlimit(resource, &limit) == 0)
		limit.rlim_max++;
	say_result(step, setrlimit(resource, &limit));
}

/* --- who it is --- */

static void step_capabilities(const struct step *step) {
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };
	unsigned all = 0;

	if (syscall(SYS_capget, &header, sets) < 0) {
		say_error(step, errno);
		return;
	}
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		all |= sets[i].effective | sets[i].permitted | sets[i].inheritable;
	say(step, "%x", all);
}

static void step_privileges(const struct step *step) {
	say(step, "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void step_identity(const struct step *step) {
	say(step, "%u:%u:%d", getuid(), getgid(), getgroups(0, NULL));
}

static void step_environment(const struct step *step) {
	size_t used = 0;

	say(step, "nothing");
	for (char **entry = environ; *entry != NULL && used < step->size; entry++)
		used += (size_t)snprintf(step->text + used, step->size - used, "%s%s",
					 used > 0 ? "," : "", *entry);
}

static void step_memory(const struct step *step) {
	say(step, "%d", search_memory(step->argument));
}

/* --- other ways into the kernel --- */

static void step_call(const struct step *step) {
	long numbers[7] = { 0 };
	const char *rest = step->argument;

	for (size_t i = 0; i < 7 && *rest != '\0'; i++) {
		numbers[i] = number_at(rest, &rest);
		rest += strspn(rest, " ");
	}
	say_result(step, syscall(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
				 numbers[5], numbers[6]));
}

static void step_call_i386(const struct step *step) {
	long result = 20; /* getpid */

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	say_result(step, result < 0 ? -1 : 0);
}

static void step_call_x32(const struct step *step) {
	say_result(step, syscall(X32_BIT | SYS_getpid));
}

/* --- with the test --- */

static void step_report(const struct step *step) {
	if (step->call != NULL)
		dprintf(wf_call_descriptor(step->call, 0), "at %d\n", (int)getpid());
	say(step, "ok");
}

static void step_wait(const struct step *step) {
	char byte;
	ssize_t n = -1;

	if (step->call != NULL)
		do {
			n = read(wf_call_descriptor(step->call, 1), &byte, 1);
		} while (n < 0 && errno == EINTR);
	say_result(step, n);
}

/* --- the table --- */

static const struct {
	const char *name;
	void (*run)(const struct step *step);
} steps[] = {
	{ "read", step_read },
	{ "write", step_write },
	{ "list", step_list },
	{ "look", step_look },
	{ "make", step_make },
	{ "remove", step_remove },
	{ "move", step_move },
	{ "cut", step_cut },
	{ "mode", step_mode },
	{ "fill", step_fill },
	{ "directory", step_directory },
	{ "run", step_run },
	{ "again", step_again },
	{ "many", step_many },
	{ "fork", step_fork },
	{ "thread", step_thread },
	{ "pid", step_pid },
	{ "ppid", step_ppid },
	{ "processes", step_processes },
	{ "crowd", step_crowd },
	{ "swarm", step_swarm },
	{ "daemon", step_daemon },
	{ "deep", step_deep },
	{ "left", step_left },
	{ "raise", step_raise },
	{ "signal", step_signal },
	{ "spin", step_spin },
	{ "hang", step_hang },
	{ "socket", step_socket },
	{ "connect", step_connect },
	{ "knock", step_knock },
	{ "aim", step_aim },
	{ "loopback", step_loopback },
	{ "writable_code", step_writable_code },
	{ "written_code", step_written_code },
	{ "allocate", step_allocate },
	{ "allocate_in_child", step_allocate_in_child },
	{ "descriptors", step_descriptors },
	{ "output", step_output },
	{ "capabilities", step_capabilities },
	{ "privileges", step_privileges },
	{ "identity", step_identity },
	{ "limit", step_limit },
	{ "raise_limit", step_raise_limit },
	{ "environment", step_environment },
	{ "memory", step_memory },
	{ "call", step_call },
	{ "call_i386", step_call_i386 },
	{ "call_x32", step_call_x32 },
	{ "report", step_report },
	{ "wait", step_wait },
};

static void run_step(struct step *step, char *text) {
	char *name = text + strspn(text, " ");
	size_t length = strcspn(name, " ");

	step->argument = name + length + (name[length] == ' ' ? 1 : 0);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (strlen(steps[i].name) == length && memcmp(steps[i].name, name, length) == 0) {
			steps[i].run(step);
			return;
		}
	say(step, "no step %s", name);
}

/* `text` is taken apart. Returns the length of the answers. */
static size_t run_steps(const struct wf_call *call, char *text, char *answers, size_t size) {
	char *rest = text, *one;
	size_t used = 0;

	answers[0] = '\0';
	while ((one = strsep(&rest, ";")) != NULL && used + 2 < size) {
		struct step step = { .call = call };

		if (used > 0)
			answers[used++] = ';';
		step.text = answers + used;
		step.size = size - used;
		run_step(&step, one);
		used += strlen(answers + used);
	}
	return used;
}

/* --- the image --- */

static char preload_argument[TEXT_MAX];

static int preload(const struct wf_preload_info *info) {
	if (info->argument_size > sizeof preload_argument - 1)
		return E2BIG;
	if (info->argument_size > 0)
		memcpy(preload_argument, info->argument, info->argument_size);
	return 0;
}

static int initialize(const struct wf_worker_info *info) {
	char text[TEXT_MAX], answers[TEXT_MAX];

	(void)info;
	memcpy(text, preload_argument, sizeof text);
	if (text[0] != '\0')
		run_steps(NULL, text, answers, sizeof answers);
	return 0;
}

static void copy_input(struct wf_call *call, char text[TEXT_MAX]) {
	size_t size;
	const char *input = wf_call_input(call, &size);

	if (size > TEXT_MAX - 1)
		size = TEXT_MAX - 1;
	memcpy(text, input, size);
	text[size] = '\0';
}

static int try_steps(struct wf_call *call) {
	char text[TEXT_MAX], answers[TEXT_MAX];

	copy_input(call, text);
	return wf_return(call, answers, run_steps(call, text, answers, sizeof answers));
}

static int big(struct wf_call *call) {
	char text[TEXT_MAX], *result;
	size_t size;

	copy_input(call, text);
	size = (size_t)number_at(text, NULL);
	result = wf_return_buffer(call, size);
	if (result == NULL)
		return wf_fail(call, errno, "no buffer of %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		result[i] = toy_letter(i);
	return 0;
}

WF_MODULE(.preload = preload, .initialize = initialize,
	  .functions = WF_FUNCTIONS({ "try", try_steps }, { "big", big }));
