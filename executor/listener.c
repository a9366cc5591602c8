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
#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "executor/attempt.h"
#include "executor/channel.h"
#include "executor/learn.h"
#include "executor/outcome.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "policy/document.h"
#include "policy/line.h"

#define LISTENER_BATCH 16
/* Above a worker, from which a process that made a call descends. */
#define LISTENER_DEPTH 64
/* <linux/seccomp.h> of 6.6 */
#define NOTIF_SET_FLAGS_6_6    _IOW('!', 4, uint64_t)
#define NOTIF_SYNC_WAKE_UP_6_6 1UL

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

/* The request names a thread of the worker, or of something that it started. */
static struct worker *worker_of(const struct listener *listener, pid_t pid) {
	struct worker *worker =
	    listener->worker ? listener->worker : find_worker(listener->zygote, pid);

	if (!worker)
		pid = (pid_t)process_status(pid, "Tgid:");
	for (int i = 0; i < LISTENER_DEPTH && !worker && pid > 1; i++) {
		worker = find_worker(listener->zygote, pid);
		if (!worker)
			pid = (pid_t)process_status(pid, "PPid:");
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

/* With error 0 it is what ends the task. */
static void note(const struct attempt *attempt, const struct policy *policy, int error) {
	char name[48], arguments[1024], line[LINE_SIZE];
	const struct wf_refusal refusal = {
		.call = name,
		.arguments = arguments,
		.path = attempt->wanted,
		.allow = line,
		.error = error,
	};

	attempt_name(attempt, name, sizeof(name));
	attempt_arguments(attempt, arguments, sizeof(arguments));
	attempt_line(attempt, policy, line, sizeof(line));
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

/* With what the call is answered if it is to go no further. */
static int tell(struct attempt *attempt, const struct policy *policy, int error, bool end) {
	note(attempt, policy, end ? 0 : error);
	if (end)
		end_task(attempt);
	return error;
}

static int refuse(struct attempt *attempt, const struct policy *policy, int error) {
	/* whoever calls it has clone(2) for when it is not there: nothing was kept from anybody */
	if (attempt->request->data.nr == SYS_clone3)
		return error;
	return tell(attempt, policy, error, policy->on_refusal == POLICY_END && error != ENOSYS);
}

/* Paths and ports: Landlock decides, for what was read may change under our eyes. */
static int leave_to_landlock(struct attempt *attempt, const struct policy *policy,
			     bool undeclared) {
	bool end = policy->on_refusal == POLICY_END;

	if (!undeclared)
		return 0;
	(void)tell(attempt, policy, EACCES, end);
	return end ? EACCES : 0;
}

/* What no policy can allow is refused while learning, too: the program takes the way that it will have to take. */
static int learn(struct attempt *attempt, const struct policy *policy, int error) {
	if (!attempt->call || attempt->call->group == CALLS_NEVER)
		return error;
	(void)attempt_wants_path(attempt, policy);
	learn_attempt(attempt);
	return 0;
}

static bool has_group(const struct policy *policy, const struct call *call) {
	return policy->groups & UINT64_C(1) << call->group;
}

static int judge(struct attempt *attempt, const struct policy *policy) {
	int error = attempt->call ? attempt->call->error : ENOSYS;

	if (attempt_is_foreign(attempt))
		return tell(attempt, policy, EPERM, true);
	attempt_read_paths(attempt);
	if (attempt->worker->executor->options.public.learn)
		return learn(attempt, policy, error);
	if (call_changes_metadata(attempt->request->data.nr) && !(policy->layers & LAYER_MOUNT))
		return refuse(attempt, policy, error);
	if (attempt_is_about_path(attempt) && !attempt_asks_for_setid(attempt)) {
		bool undeclared = attempt_wants_path(attempt, policy);

		return has_group(policy, attempt->call)
			   ? leave_to_landlock(attempt, policy, undeclared)
			   : refuse(attempt, policy, error);
	}
	if (attempt->call && attempt_is_about_port(attempt) && has_group(policy, attempt->call))
		return leave_to_landlock(attempt, policy, attempt_wants_port(attempt, policy));
	return refuse(attempt, policy, error);
}

/* A worker that has just been forked may be heard of here before the zygote's Spawned is: what it opens for
 * itself goes on, as every path that Landlock judges may. */
static int judge_unknown(const struct attempt *attempt, const struct policy *policy) {
	const struct call *call = attempt->call;

	if (!call || attempt_is_foreign(attempt))
		return ENOSYS;
	if (has_group(policy, call) && !attempt_asks_for_setid(attempt) &&
	    (attempt_is_about_path(attempt) || attempt_is_about_port(attempt)) &&
	    (policy->layers & LAYER_MOUNT || !call_changes_metadata(attempt->request->data.nr)))
		return 0;
	return call->error;
}

static void receive(struct listener *listener, struct seccomp_notif *request) {
	struct wf_executor *executor = listener->zygote->executor;
	struct attempt *attempt = malloc(sizeof(*attempt));
	int error = EPERM;

	if (attempt) {
		attempt_init(attempt, request);
		attempt->worker = worker_of(listener, (pid_t)request->pid);
		attempt->future = attempt->worker ? running_task(attempt->worker) : NULL;
	}
	/* the zygote runs no task, and may open what it likes: another look at its frozen image */
	if ((pid_t)request->pid == listener->zygote->pid)
		error = 0;
	else if (attempt && attempt->worker)
		error = judge(attempt, document_view(executor->options.policy));
	else if (attempt)
		error = judge_unknown(attempt, document_view(executor->options.policy));
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
