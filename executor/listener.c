/* SPDX-License-Identifier: MIT
 *
 * What is told, and what becomes of it:
 *
 *     a call of another ABI         the task is ended: whoever makes one means to evade the filter
 *     a call that is not allowed    errno, a note; the task is ended if the policy says so, but not for a
 *                                   call that libraries only try (ENOSYS)
 *     a path (report: paths)        goes on, and Landlock judges; a note if the policy does not name it and
 *                                   there is such a file, for what is nowhere was not refused
 *     learning                      all go on, and are noted as what the policy must allow
 *
 * The paths of a note are read from the caller's memory, and looked up from here: a note may err where a
 * task changes them under our eyes, a refusal may not.
 */
#include "executor/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/learn.h"
#include "executor/outcome.h"
#include "executor/policy.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "proto/call_text.h"

#define LISTENER_BATCH 16
/* Above a worker, from which a process that made a call descends. */
#define LISTENER_DEPTH 64
#define X32_BIT        0x40000000u
/* <linux/seccomp.h> of 6.6 */
#define NOTIF_SET_FLAGS_6_6    _IOW('!', 4, uint64_t)
#define NOTIF_SYNC_WAKE_UP_6_6 1UL

/* One call, as far as it could be read. */
struct attempt {
	const struct call *call; /* NULL: unknown */
	const struct seccomp_notif *request;
	uint64_t arguments[CALL_ARGUMENTS];
	struct worker *worker;
	struct wf_future *future; /* NULL: its worker has no task now */
	uint16_t port;            /* that it must not reach; 0 */
	char paths[CALL_ARGUMENTS][PATH_MAX];
	const char *read[CALL_ARGUMENTS]; /* NULL: no path, or not readable */
	char wanted[PATH_MAX];            /* absolute; "" */
	uint32_t access;                  /* to `wanted` */
};

/* --- who ----------------------------------------------------------------------------------- */

static struct worker *find_worker(struct zygote *zygote, pid_t pid) {
	for (struct link *link = zygote->workers.next; link != &zygote->workers;
	     link = link->next) {
		struct worker *worker = container_of(link, struct worker, zygote_link);

		if (worker->pid == pid && worker->state != WORKER_ENDED)
			return worker;
	}
	return NULL;
}

/* Of a process: its thread group, its parent. */
static pid_t read_status(pid_t pid, const char *key) {
	char path[64], text[2048], *line;
	cleanup_close int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	line = strstr(text, key);
	return line ? (pid_t)strtol(line + strlen(key), NULL, 10) : 0;
}

/* The request names a thread of the worker, or of something that it started. */
static struct worker *worker_of(const struct listener *listener, pid_t pid) {
	struct worker *worker =
	    listener->worker ? listener->worker : find_worker(listener->zygote, pid);

	if (!worker)
		pid = read_status(pid, "\nTgid:");
	for (int i = 0; i < LISTENER_DEPTH && !worker && pid > 1; i++) {
		worker = find_worker(listener->zygote, pid);
		if (!worker)
			pid = read_status(pid, "\nPPid:");
	}
	return worker;
}

/* The last that its worker has claimed: the results of those before it are on the way. */
static struct wf_future *running_task(const struct worker *worker) {
	for (uint64_t s = worker->next_sequence; s > worker->first_sequence; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (future && future_has_started(future))
			return future;
	}
	return NULL;
}

/* --- what ---------------------------------------------------------------------------------- */

static bool is_foreign(const struct seccomp_notif *request) {
	return request->data.arch != AUDIT_ARCH_X86_64 || (uint32_t)request->data.nr & X32_BIT;
}

/* A string in the caller's memory, which ends before its page does, or goes on in the next one. */
static bool read_string(pid_t pid, uint64_t address, char *text, size_t size) {
	size_t used = 0;

	while (used < size) {
		size_t chunk = 4096 - (size_t)((address + used) & 4095);
		struct iovec to = { text + used, chunk < size - used ? chunk : size - used };
		struct iovec from = { (void *)(uintptr_t)(address + used), to.iov_len };
		ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (n <= 0)
			return false;
		if (memchr(text + used, '\0', (size_t)n))
			return true;
		used += (size_t)n;
	}
	return false;
}

static void read_paths(struct attempt *attempt) {
	for (size_t i = 0; attempt->call && i < CALL_ARGUMENTS; i++)
		if (attempt->call->arguments[i] == ARGUMENT_PATH &&
		    read_string((pid_t)attempt->request->pid, attempt->request->data.args[i],
				attempt->paths[i], PATH_MAX))
			attempt->read[i] = attempt->paths[i];
}

/* In place: without ".", ".." and double slashes. */
static void simplify(char *path) {
	char *to = path;

	for (const char *from = path; *from;) {
		size_t size = strcspn(from + 1, "/");

		if (size == 2 && strncmp(from + 1, "..", 2) == 0) {
			while (to > path && *--to != '/')
				;
		} else if (size > 0 && !(size == 1 && from[1] == '.')) {
			memmove(to, from, size + 1);
			to += size + 1;
		}
		from += size + 1;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* What lies in /proc and /dev means something else to whoever looks. */
static bool is_relative_to_looker(const char *path) {
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* In place: through symbolic links, as the kernel will go; a name that is not there yet has a directory that is. */
static void resolve(char *path) {
	char real[PATH_MAX], directory[PATH_MAX], *name;

	if (is_relative_to_looker(path))
		return;
	if (realpath(path, real)) {
		memcpy(path, real, strlen(real) + 1);
		return;
	}
	memcpy(directory, path, strlen(path) + 1);
	name = strrchr(directory, '/');
	*name++ = '\0';
	if (realpath(directory[0] ? directory : "/", real))
		(void)snprintf(path, PATH_MAX, "%.*s/%s", (int)(PATH_MAX - NAME_MAX - 2),
			       real[1] ? real : "", name);
}

static bool base_of(const struct attempt *attempt, size_t argument, char *ret) {
	char link[64];
	int directory = AT_FDCWD;
	ssize_t n;

	if (argument > 0 && attempt->call->arguments[argument - 1] == ARGUMENT_DIRECTORY_FD)
		directory = (int)attempt->request->data.args[argument - 1];
	if (directory == AT_FDCWD)
		(void)snprintf(link, sizeof(link), "/proc/%u/cwd", attempt->request->pid);
	else
		(void)snprintf(link, sizeof(link), "/proc/%u/fd/%d", attempt->request->pid,
			       directory);
	n = readlink(link, ret, PATH_MAX - 1);
	if (n <= 0 || ret[0] != '/')
		return false;
	ret[n] = '\0';
	return true;
}

/* Absolute, but with its symbolic links. */
static bool absolute_path(const struct attempt *attempt, size_t argument, char *ret) {
	const char *path = attempt->read[argument];
	char base[PATH_MAX];

	if (!path)
		return false;
	if (path[0] == '/')
		(void)snprintf(ret, PATH_MAX, "%s", path);
	else if (!base_of(attempt, argument, base) ||
		 snprintf(ret, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
		return false;
	simplify(ret);
	return true;
}

static uint32_t access_of_open(uint64_t flags) {
	if (flags & O_PATH)
		return 0;
	if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC))
		return POLICY_WRITE;
	return POLICY_READ;
}

/* Calls by path that change something; the others ask, which nothing but the view prevents. */
static bool changes_path(int number) {
	static const int numbers[] = {
		SYS_truncate,  SYS_unlink, SYS_unlinkat, SYS_rmdir,   SYS_rename,    SYS_renameat,
		SYS_renameat2, SYS_link,   SYS_linkat,   SYS_symlink, SYS_symlinkat, SYS_mkdir,
		SYS_mkdirat,   SYS_mknod,  SYS_mknodat,  SYS_creat,   SYS_chmod,     SYS_fchmodat,
		SYS_chown,     SYS_lchown, SYS_fchownat, SYS_utime,   SYS_utimes,    SYS_utimensat,
		SYS_futimesat, 452, /* fchmodat2 */
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static uint32_t access_of(const struct attempt *attempt) {
	const struct seccomp_data *data = &attempt->request->data;

	switch (data->nr) {
	case SYS_open:
		return access_of_open(data->args[1]);
	case SYS_openat:
		return access_of_open(data->args[2]);
	case SYS_execve:
	case SYS_execveat:
		return POLICY_EXECUTE;
	default:
		return changes_path(data->nr) ? POLICY_WRITE : 0;
	}
}

static bool allows(const struct policy *policy, const char *path, uint32_t access) {
	return policy_allows_path(policy, path, access) ||
	       (access != POLICY_EXECUTE && policy_allows_path(policy, path, POLICY_DEVICE)) ||
	       (policy->limits[POLICY_SCRATCH] != POLICY_NO_LIMIT &&
		(strcmp(path, "/tmp") == 0 || strncmp(path, "/tmp/", 5) == 0 ||
		 strncmp(path, "/.warmfork/", 11) == 0));
}

/* Is there something that was refused? What a task wanted to make, its directory decides. */
static bool is_there(const char *path) {
	struct stat status;
	char directory[PATH_MAX], *slash;

	if (is_relative_to_looker(path) || lstat(path, &status) == 0)
		return true;
	memcpy(directory, path, strlen(path) + 1);
	slash = strrchr(directory, '/');
	*(slash == directory ? slash + 1 : slash) = '\0';
	return lstat(directory, &status) == 0;
}

/* What a symbolic link says is no access to where it leads. */
static bool is_mere_text(const struct attempt *attempt, size_t argument) {
	int number = attempt->request->data.nr;

	return argument == 0 && (number == SYS_symlink || number == SYS_symlinkat);
}

/* The first of its paths that the policy does not name. */
static bool wants_undeclared(struct attempt *attempt, const struct policy *policy) {
	char path[PATH_MAX];

	if (!attempt->call)
		return false;
	attempt->access = access_of(attempt);
	if (attempt->access == 0)
		return false;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++) {
		struct stat status;
		bool makes = attempt->access == POLICY_WRITE;

		if (is_mere_text(attempt, i) || !absolute_path(attempt, i, path) ||
		    allows(policy, path, attempt->access))
			continue;
		resolve(path);
		if (allows(policy, path, attempt->access) ||
		    !(makes ? is_there(path)
			    : is_relative_to_looker(path) || lstat(path, &status) == 0))
			continue;
		memcpy(attempt->wanted, path, strlen(path) + 1);
		return true;
	}
	return false;
}

/* --- ports --- */

/* Of a socket that is about to be used: which of the arguments it is. Nothing if there is none. */
static void read_address(const struct attempt *attempt, struct sockaddr_storage *ret) {
	size_t which, size;
	struct iovec to = { ret, 0 }, from;

	switch (attempt->request->data.nr) {
	case SYS_connect:
	case SYS_bind:
		which = 1;
		break;
	case SYS_sendto:
		which = 4;
		break;
	default:
		return;
	}
	size = attempt->arguments[which + 1] < sizeof(*ret) ? attempt->arguments[which + 1]
							    : sizeof(*ret);
	from.iov_base = (void *)(uintptr_t)attempt->arguments[which];
	from.iov_len = to.iov_len = size;
	if (size == 0 || !from.iov_base ||
	    process_vm_readv((pid_t)attempt->request->pid, &to, 1, &from, 1, 0) < 0)
		ret->ss_family = AF_UNSPEC;
}

static bool lists_port(const uint16_t *ports, size_t n, uint16_t port) {
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* In the network of the host, where Landlock lets only listed ports through: one that is not. 0: none. */
static uint16_t undeclared_port(const struct attempt *attempt, const struct policy *policy) {
	bool binds = attempt->request->data.nr == SYS_bind;
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	union {
		const struct sockaddr_storage *any;
		const struct sockaddr_in *inet;
	} as = { &address };
	uint16_t port;

	read_address(attempt, &address);
	if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
		return 0;
	port = ntohs(as.inet->sin_port); /* of IPv6 it is at the same place */
	return lists_port(binds ? policy->tcp_bind : policy->tcp_connect,
			  binds ? policy->n_tcp_bind : policy->n_tcp_connect, port)
		   ? 0
		   : port;
}

/* --- answering ----------------------------------------------------------------------------- */

static void answer(const struct listener *listener, const struct seccomp_notif *request,
		   int error) {
	struct seccomp_notif_resp response = {
		.id = request->id,
		.error = -error,
		.flags = error ? 0u : (uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	/* ENOENT: it has been killed meanwhile */
	(void)ioctl(listener->fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static const char *name_of(const struct attempt *attempt, char *text, size_t size) {
	if (attempt->call && !is_foreign(attempt->request))
		return attempt->call->name;
	(void)snprintf(text, size, "%scall %d",
		       attempt->request->data.arch != AUDIT_ARCH_X86_64 ? "i386 "
		       : is_foreign(attempt->request)                   ? "x32 "
									: "",
		       attempt->request->data.nr & (int)~X32_BIT);
	return text;
}

/* Names are made and removed in their directory; and a rule must name what is there. */
static bool is_about_directory(const struct attempt *attempt) {
	static const int numbers[] = {
		SYS_unlink,    SYS_unlinkat, SYS_rmdir,  SYS_rename,  SYS_renameat,
		SYS_renameat2, SYS_link,     SYS_linkat, SYS_symlink, SYS_symlinkat,
		SYS_mkdir,     SYS_mkdirat,  SYS_mknod,  SYS_mknodat,
	};
	struct stat status;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == attempt->request->data.nr)
			return true;
	return attempt->access == POLICY_WRITE && lstat(attempt->wanted, &status) < 0;
}

static const char *remedy_path(const struct attempt *attempt, char *directory) {
	char *slash;

	if (!is_about_directory(attempt))
		return attempt->wanted;
	(void)snprintf(directory, PATH_MAX, "%s", attempt->wanted);
	slash = strrchr(directory, '/');
	*(slash == directory ? slash + 1 : slash) = '\0';
	return directory;
}

/* With error 0 it is what ends the task. */
static void note(struct attempt *attempt, const struct policy *policy, int error) {
	static char line[POLICY_LINE_SIZE];
	char arguments[1024] = "", name[48], directory[PATH_MAX];
	struct wf_refusal refusal = { .path = attempt->wanted, .error = error };

	line[0] = '\0';
	if (attempt->call && !is_foreign(attempt->request)) {
		call_text(attempt->call, attempt->arguments, attempt->read, arguments,
			  sizeof(arguments));
		if (attempt->port)
			(void)snprintf(line, sizeof(line), "%s: [%u]",
				       attempt->request->data.nr == SYS_bind ? "tcp_bind"
									     : "tcp_connect",
				       attempt->port);
		else if (attempt->wanted[0])
			policy_line_for_path(policy, remedy_path(attempt, directory),
					     attempt->access, line, sizeof(line));
		else
			policy_line_for_call(policy, attempt->call, attempt->arguments, line,
					     sizeof(line));
	}
	refusal.call = name_of(attempt, name, sizeof(name));
	refusal.arguments = arguments;
	refusal.allow = line;
	executor_log(attempt->worker->executor, LOG_INFO, "worker %d was refused %s(%s)",
		     (int)attempt->worker->pid, refusal.call, refusal.arguments);
	if (attempt->future && error)
		refusals_add(&attempt->future->refusals, &refusal);
	else if (attempt->future)
		refusals_end(&attempt->future->refusals, &refusal);
}

/* Killed before it is answered, so that it never goes on. */
static void end_task(struct attempt *attempt) {
	struct worker *worker = attempt->worker;

	if (attempt->future) {
		supervise_violation(attempt->future);
	} else if (worker->state != WORKER_STARTED) {
		supervise_now_kill(worker); /* something that its last task has left */
	} else if (worker->stop == STOP_NONE && !worker->asked) {
		slot_start_failed(worker->executor, WF_PHASE_INITIALIZE, EPERM,
				  "its initializer did what the policy does not allow");
		worker->asked = true;
		supervise_now_kill(worker);
	}
}

/* A rule for the path it names would allow it, and the calls that go with it. */
static bool is_about_path(const struct attempt *attempt) {
	const struct call *call = attempt->call;

	for (size_t i = 0; call && i < CALL_ARGUMENTS; i++)
		if (call->arguments[i] == ARGUMENT_PATH)
			return call->group == CALLS_FILES || call->number == SYS_execve ||
			       call->number == SYS_execveat;
	return false;
}

/* Bits that no mode of a sandboxed process may have: the filter sends these calls for that reason. */
static bool asks_for_setid(const struct attempt *attempt) {
	const struct seccomp_data *data = &attempt->request->data;
	const uint64_t setid = S_ISUID | S_ISGID;
	const uint64_t makes = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);

	switch (data->nr) {
	case SYS_open:
		return data->args[1] & makes && data->args[2] & setid;
	case SYS_openat:
		return data->args[2] & makes && data->args[3] & setid;
	case SYS_creat:
	case SYS_chmod:
	case SYS_mkdir:
	case SYS_mknod:
		return data->args[1] & setid;
	case SYS_fchmodat:
	case SYS_mkdirat:
	case SYS_mknodat:
	case 452: /* fchmodat2 */
		return data->args[2] & setid;
	default:
		return false;
	}
}

static int refuse(struct attempt *attempt, const struct policy *policy, int error) {
	bool end = policy->on_refusal == POLICY_END && error != ENOSYS;

	/* whoever calls it has clone(2) for when it is not there: nothing was kept from anybody */
	if (attempt->request->data.nr == SYS_clone3)
		return error;
	note(attempt, policy, end ? 0 : error);
	if (end)
		end_task(attempt);
	return error;
}

/* What no policy can allow is refused while learning, too: the program takes the way that it will have to take. */
static int learn(struct attempt *attempt, const struct policy *policy, int error) {
	struct learned_attempt learned = { .path = NULL };
	bool undeclared = wants_undeclared(attempt, policy);

	if (!attempt->call || attempt->call->group == CALLS_NEVER)
		return error;
	learned.call = attempt->call;
	learned.arguments = attempt->arguments;
	learned.access = attempt->access;
	if (undeclared) {
		learned.path = attempt->wanted;
		learned.in_directory = is_about_directory(attempt);
	}
	read_address(attempt, &learned.address);
	learn_attempt(attempt->future, &learned);
	return 0;
}

static bool is_about_port(const struct attempt *attempt) {
	return attempt->request->data.nr == SYS_connect || attempt->request->data.nr == SYS_bind;
}

/* The rules for ports are about nothing else; what cannot be found out is taken for it. */
static bool is_of_tcp(const struct attempt *attempt) {
	pid_t pid = read_status((pid_t)attempt->request->pid, "\nTgid:");
	cleanup_close int process = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_close int theirs = -1;
	int protocol = IPPROTO_TCP;
	socklen_t size = sizeof(protocol);

	if (process >= 0)
		theirs = (int)syscall(SYS_pidfd_getfd, process, (int)attempt->arguments[0], 0);
	if (theirs >= 0)
		(void)getsockopt(theirs, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
	return protocol == IPPROTO_TCP;
}

/* As with paths, Landlock decides: the address may change under our eyes. */
static int judge_port(struct attempt *attempt, const struct policy *policy) {
	bool end = policy->on_refusal == POLICY_END;

	attempt->port = undeclared_port(attempt, policy);
	if (!attempt->port || !is_of_tcp(attempt))
		return 0;
	note(attempt, policy, end ? 0 : EACCES);
	if (end)
		end_task(attempt);
	return end ? EACCES : 0;
}

static int judge(struct attempt *attempt, const struct policy *policy) {
	int error = attempt->call ? attempt->call->error : ENOSYS;
	bool end = policy->on_refusal == POLICY_END;

	if (is_foreign(attempt->request)) {
		note(attempt, policy, 0);
		end_task(attempt);
		return EPERM;
	}
	read_paths(attempt);
	if (attempt->worker->executor->options.public.learn)
		return learn(attempt, policy, error);
	if (call_changes_metadata(attempt->request->data.nr) && !(policy->layers & LAYER_MOUNT))
		return refuse(attempt, policy, error);
	if (is_about_path(attempt) && !asks_for_setid(attempt)) {
		bool undeclared = wants_undeclared(attempt, policy);

		if (!(policy->groups & UINT64_C(1) << attempt->call->group))
			return refuse(attempt, policy, error);
		if (!undeclared)
			return 0;
		note(attempt, policy, end ? 0 : EACCES);
		if (end)
			end_task(attempt);
		return end ? EACCES : 0;
	}
	if (attempt->call && is_about_port(attempt) &&
	    policy->groups & UINT64_C(1) << attempt->call->group)
		return judge_port(attempt, policy);
	return refuse(attempt, policy, error);
}

/* A worker that has just been forked may be heard of here before the zygote's Spawned is: what it opens for
 * itself goes on, as every path that Landlock judges may. */
static int judge_unknown(const struct attempt *attempt, const struct policy *policy) {
	const struct call *call = attempt->call;

	if (!call || is_foreign(attempt->request))
		return ENOSYS;
	if (policy->groups & UINT64_C(1) << call->group && !asks_for_setid(attempt) &&
	    (is_about_path(attempt) || is_about_port(attempt)) &&
	    (policy->layers & LAYER_MOUNT || !call_changes_metadata(attempt->request->data.nr)))
		return 0;
	return call->error;
}

/* All but the paths, which are large, and written before they are read. */
static void attempt_init(struct attempt *attempt, const struct listener *listener,
			 const struct seccomp_notif *request) {
	attempt->request = request;
	attempt->wanted[0] = '\0';
	attempt->access = 0;
	attempt->port = 0;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++) {
		attempt->arguments[i] = request->data.args[i];
		attempt->read[i] = NULL;
	}
	attempt->call = call_by_number((uint32_t)request->data.nr);
	attempt->worker = worker_of(listener, (pid_t)request->pid);
	attempt->future = attempt->worker ? running_task(attempt->worker) : NULL;
}

static void receive(struct listener *listener, struct seccomp_notif *request) {
	struct wf_executor *executor = listener->zygote->executor;
	struct attempt *attempt = malloc(sizeof(*attempt));
	int error = EPERM;

	if (attempt)
		attempt_init(attempt, listener, request);
	/* the zygote runs no task, and may open what it likes: another look at its frozen image */
	if ((pid_t)request->pid == listener->zygote->pid)
		error = 0;
	else if (attempt && attempt->worker)
		error = judge(attempt, policy_view(executor->options.policy));
	else if (attempt)
		error = judge_unknown(attempt, policy_view(executor->options.policy));
	answer(listener, request, error);
	free(attempt);
}

static bool is_readable(int fd) {
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLIN;
}

/* Bounded, so that one busy task cannot keep the others waiting. */
static void on_listener(struct source *source, uint32_t events) {
	struct listener *listener = container_of(source, struct listener, source);

	for (int i = 0; i < LISTENER_BATCH && events & EPOLLIN; i++) {
		struct seccomp_notif request;

		memset(&request, 0, sizeof(request)); /* the kernel insists */
		if (ioctl(listener->fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
			return; /* it was killed before it could be asked */
		receive(listener, &request);
		if (!is_readable(listener->fd))
			return;
	}
	/* nobody is left under this filter */
	if (!(events & EPOLLIN))
		listener_stop(listener);
}

/* --- life ---------------------------------------------------------------------------------- */

void listener_init(struct listener *listener, struct zygote *zygote, struct worker *worker) {
	*listener = (struct listener){ .fd = -1, .zygote = zygote, .worker = worker };
}

int listener_start(struct listener *listener, int fd) {
	int r;

	if (listener->fd >= 0) {
		(void)fd_close(fd);
		return error_origin(-EEXIST);
	}
	listener->fd = fd;
	/* Who is told sleeps anyway: to be woken on the same CPU takes a fifth of the time. Linux 6.6; without it, it is
	 * only slower. */
	(void)ioctl(fd, NOTIF_SET_FLAGS_6_6, NOTIF_SYNC_WAKE_UP_6_6);
	r = source_add(listener->zygote->executor->loop, &listener->source, fd, EPOLLIN,
		       on_listener);
	if (r < 0)
		listener->fd = fd_close(fd);
	return error_trace(r);
}

void listener_stop(struct listener *listener) {
	source_remove(&listener->source);
	listener->fd = fd_close(listener->fd);
}
