/* SPDX-License-Identifier: MIT
 *
 * Learning starts from the preset `stage` and adds what the task did beyond it. So the policy is
 * small if the task did what most programs do, and it says in the user's words what is special
 * about this one.
 *
 * A rule must name something that exists before the task runs. So a file that the task creates is
 * covered by its directory; one that it creates in /tmp itself, or in a directory it has made
 * there, by a scratch /tmp of its own. Many files in one directory become that directory.
 */
#include "executor/learn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/path.h"
#include "policy/cover.h"
#include "policy/document.h"

/* This many files in one directory become a rule for the directory. */
#define LEARN_FILES   8
#define LEARN_SCRATCH "256M"

static unsigned count_beside(const struct policy *policy, const char *directory, uint32_t access) {
	unsigned n = 0;

	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct policy_path *rule = &policy->paths[i];

		n += !rule->optional && rule->access & access &&
		     path_is_below(rule->path, directory) &&
		     !strchr(rule->path + strlen(directory) + 1, '/');
	}
	return n;
}

static const char *key_of(uint32_t access) {
	return access & POLICY_WRITE ? "write" : access & POLICY_EXECUTE ? "execute" : "read";
}

/* Was it created after the task began? False if the file system does not record that. */
static bool is_made_by(const struct wf_future *future, const char *path) {
	struct timespec now;
	struct statx status;
	int64_t age_ns;

	if (statx(AT_FDCWD, path, 0, STATX_BTIME, &status) < 0 ||
	    !(status.stx_mask & STATX_BTIME) || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	age_ns = ((int64_t)now.tv_sec - status.stx_btime.tv_sec) * (int64_t)NSEC_PER_SEC +
		 (int64_t)now.tv_nsec - (int64_t)status.stx_btime.tv_nsec;
	return age_ns < (int64_t)(clock_now() - future->handed);
}

static void learn_path(const struct wf_future *future, const struct attempt *attempt) {
	struct wf_policy *policy = future->learned;
	const char *path = attempt->wanted;
	uint32_t access = attempt->access;
	const struct policy *view = document_view(policy);
	char directory[4096];
	struct stat status;

	if (cover_allows(view, path, access))
		return;
	path_parent(path, directory, sizeof directory);
	if (path_is_below(path, "/tmp") &&
	    (strcmp(directory, "/tmp") == 0 || is_made_by(future, directory))) {
		if (access & POLICY_WRITE)
			(void)wf_policy_add(policy, "limits.scratch", LEARN_SCRATCH);
		return;
	}
	if (attempt->in_directory)
		path = directory;
	if (stat(path, &status) == 0 && S_ISCHR(status.st_mode))
		(void)wf_policy_add(policy, "device", path);
	else if (access & POLICY_WRITE && (stat(path, &status) < 0 || !S_ISREG(status.st_mode)))
		(void)wf_policy_add(policy, "write", S_ISDIR(status.st_mode) ? path : directory);
	else if (directory[1] && count_beside(view, directory, access) >= LEARN_FILES)
		(void)wf_policy_add(policy, key_of(access), directory);
	else
		(void)wf_policy_add(policy, key_of(access), path);
}

static void learn_family(struct wf_policy *policy, unsigned family) {
	static const struct {
		unsigned number;
		const char *name;
	} families[] = { { AF_UNIX, "unix" },
			 { AF_INET, "inet" },
			 { AF_INET6, "inet6" },
			 { AF_NETLINK, "netlink" } };

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (families[i].number == family)
			(void)wf_policy_add(policy, "socket", families[i].name);
}

/* The host's network, and this port of it. */
static void learn_port(struct wf_policy *policy, const char *key, in_port_t port) {
	static const char *const others[] = { "user", "mount", "pid", "ipc", "uts" };
	char number[16];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		(void)wf_policy_add(policy, "namespaces", others[i]);
	(void)snprintf(number, sizeof number, "%u", (unsigned)ntohs(port));
	if (port)
		(void)wf_policy_add(policy, key, number);
}

/* A socket is needed when it is used and something listens there: libc tries a name service
 * everywhere. */
static void learn_address(struct wf_policy *policy, const struct attempt *attempt) {
	struct sockaddr_storage address;
	const char *key = attempt->call->number == SYS_bind ? "tcp_bind" : "tcp_connect";
	union {
		const struct sockaddr_storage *any;
		const struct sockaddr_un *local;
		const struct sockaddr_in *inet;
		const struct sockaddr_in6 *inet6;
	} as = { &address };

	attempt_read_address(attempt, &address);
	if (address.ss_family == AF_UNSPEC ||
	    (address.ss_family == AF_UNIX && as.local->sun_path[0] &&
	     access(as.local->sun_path, F_OK) < 0))
		return;
	learn_family(policy, address.ss_family);
	if (address.ss_family == AF_INET)
		learn_port(policy, key, as.inet->sin_port);
	else if (address.ss_family == AF_INET6)
		learn_port(policy, key, as.inet6->sin6_port);
}

/* Memory that is both written and executed. Loading a library is not: it is mapped to be executed,
 * and the preset allows that. */
static bool is_jit(const struct call *call, const uint64_t *arguments) {
	const uint64_t both = PROT_WRITE | PROT_EXEC;

	if (call->number == SYS_mprotect || call->number == SYS_pkey_mprotect)
		return arguments[2] & PROT_EXEC;
	return call->number == SYS_mmap && (arguments[2] & both) == both;
}

static void learn_call(struct wf_policy *policy, const struct call *call,
		       const uint64_t *arguments) {
	const struct policy *view = document_view(policy);
	const uint64_t thread = 0x10000; /* CLONE_THREAD */

	/* these sockets are used without connecting or binding to an address */
	if (call->number == SYS_socket && (unsigned)arguments[0] == AF_NETLINK)
		learn_family(policy, AF_NETLINK);
	if (call->number == SYS_clone && arguments[0] & thread)
		(void)wf_policy_add(policy, "calls", "threads");
	if (is_jit(call, arguments))
		(void)wf_policy_add(policy, "calls", "jit");
	/* sockets come with their address families */
	if (view->groups & UINT64_C(1) << call->group || call->error == ENOSYS ||
	    call->group == CALLS_SOCKETS)
		return;
	if (call->group == CALLS_PRIVILEGED || call->group == CALLS_DEBUG)
		(void)wf_policy_add(policy, "calls", call->name);
	else
		(void)wf_policy_add(policy, "calls", call_group_name(call->group));
}

static bool learn_begin(struct wf_future *future) {
	if (!future->learned && wf_policy_new("stage", &future->learned) < 0)
		return false;
	/* it runs as the current user now, and may have needed that */
	if (geteuid() == 0)
		(void)wf_policy_add(future->learned, "identity", "0:0");
	return true;
}

/* The dispatching thread adds to a future's policy, and any thread may print it. */
static pthread_mutex_t learn_lock = PTHREAD_MUTEX_INITIALIZER;

void learn_attempt(struct wf_future *future, const struct attempt *attempt) {
	must(pthread_mutex_lock(&learn_lock) == 0);
	if (future->learned || learn_begin(future)) {
		if (attempt->wanted[0])
			learn_path(future, attempt);
		learn_address(future->learned, attempt);
		learn_call(future->learned, attempt->call, attempt->arguments);
	}
	must(pthread_mutex_unlock(&learn_lock) == 0);
}

static void print(struct wf_future *future) {
	if (!future->learned && !learn_begin(future))
		return;
	if (wf_policy_print(future->learned, &future->memory.learned) >= 0)
		future->outcome.learned = future->memory.learned;
}

void learn_finish(struct wf_future *future) {
	if (!future->engine->options.public.learn)
		return;
	must(pthread_mutex_lock(&learn_lock) == 0);
	/* a task that never had a worker needed nothing */
	if (!future->memory.learned && future->outcome.pid)
		print(future);
	must(pthread_mutex_unlock(&learn_lock) == 0);
}
