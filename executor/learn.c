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
#include <limits.h>
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

union address {
	struct sockaddr_storage any;
	struct sockaddr_un local;
	struct sockaddr_in inet;
	struct sockaddr_in6 inet6;
};

/* What the host says about an attempt. It is found out without any lock, because a file system or
 * the task's memory may keep whoever looks for as long as somebody else wants. */
struct sight {
	char directory[PATH_MAX]; /* that contains attempt::wanted */
	const char *path;         /* which a rule would name: `wanted` or its directory */
	mode_t mode;              /* of `path`; 0: there is none */
	bool in_scratch;
	union address address; /* AF_UNSPEC: none, or nobody is there */
};

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

/* May the files of a scratch /tmp take its place? */
static bool is_scratch(const struct wf_future *future, const char *path, const char *directory) {
	return path_is_below(path, "/tmp") &&
	       (strcmp(directory, "/tmp") == 0 || is_made_by(future, directory));
}

/* A socket is needed when it is used and something listens there: libc tries a name service
 * everywhere. */
static bool is_vacant(const union address *address) {
	char path[sizeof address->local.sun_path + 1]; /* the task may have left out the NUL */

	if (address->any.ss_family != AF_UNIX)
		return false;
	(void)snprintf(path, sizeof path, "%.*s", (int)sizeof address->local.sun_path,
		       address->local.sun_path);
	return path[0] && access(path, F_OK) < 0;
}

static void look(const struct wf_future *future, const struct attempt *attempt,
		 struct sight *sight) {
	struct stat status;

	sight->path = NULL;
	sight->mode = 0;
	sight->in_scratch = false;
	sight->address = (union address){ .any.ss_family = AF_UNSPEC };
	if (attempt->wanted[0]) {
		path_parent(attempt->wanted, sight->directory, sizeof sight->directory);
		sight->path = attempt->in_directory ? sight->directory : attempt->wanted;
		sight->in_scratch = is_scratch(future, attempt->wanted, sight->directory);
		if (stat(sight->path, &status) == 0)
			sight->mode = status.st_mode;
	}
	attempt_read_address(attempt, &sight->address.any);
	if (is_vacant(&sight->address))
		sight->address.any.ss_family = AF_UNSPEC;
}

/* --- what a rule must say ------------------------------------------------------------------- */

static void learn_path(struct wf_policy *policy, const struct attempt *attempt,
		       const struct sight *sight) {
	const struct policy *view = document_view(policy);
	const char *directory = sight->directory;
	uint32_t access = attempt->access;

	if (cover_allows(view, attempt->wanted, access))
		return;
	if (sight->in_scratch) {
		if (access & POLICY_WRITE)
			(void)wf_policy_add(policy, "limits.scratch", LEARN_SCRATCH);
	} else if (S_ISCHR(sight->mode)) {
		(void)wf_policy_add(policy, "device", sight->path);
	} else if (access & POLICY_WRITE && !S_ISREG(sight->mode)) {
		(void)wf_policy_add(policy, "write",
				    S_ISDIR(sight->mode) ? sight->path : directory);
	} else {
		bool many = directory[1] && count_beside(view, directory, access) >= LEARN_FILES;

		(void)wf_policy_add(policy, key_of(access), many ? directory : sight->path);
	}
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

static void learn_address(struct wf_policy *policy, const struct attempt *attempt,
			  const union address *address) {
	const char *key = attempt->call->number == SYS_bind ? "tcp_bind" : "tcp_connect";

	learn_family(policy, address->any.ss_family);
	if (address->any.ss_family == AF_INET)
		learn_port(policy, key, address->inet.sin_port);
	else if (address->any.ss_family == AF_INET6)
		learn_port(policy, key, address->inet6.sin6_port);
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

/* The threads that look aside add to a future's policy; the one that dispatches, and whoever asks
 * for the outcome, print it. All of that is work in memory, so that none of them waits for a file:
 * an absolute path without ".." is added as it is. */
static pthread_mutex_t learn_lock = PTHREAD_MUTEX_INITIALIZER;

void learn_attempt(struct wf_future *future, const struct attempt *attempt) {
	struct sight sight;

	look(future, attempt, &sight);
	must(pthread_mutex_lock(&learn_lock) == 0);
	if (future->learned || learn_begin(future)) {
		if (attempt->wanted[0])
			learn_path(future->learned, attempt, &sight);
		learn_address(future->learned, attempt, &sight.address);
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
