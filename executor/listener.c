/* SPDX-License-Identifier: MIT
 *
 * What is reported, and what is done about it:
 *
 *     a call of another ABI         the task is ended: such a call is meant to evade the filter
 *     a call that is not allowed    errno, and a note; the task is ended if the policy says so,
 *                                   except for a call that libraries merely try (ENOSYS)
 *     a path (report: paths)        goes on, and Landlock decides; a note if the policy does not
 *                                   name it and the file exists, because nothing was refused if
 *                                   it does not
 *     learning                      all go on, and are noted as what the policy must allow
 *
 * The paths of a note are read from the caller's memory, and looked up in the host. A note may be
 * wrong if a task changes them in the meantime; a refusal must not be.
 */
#include "executor/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "executor/attempt.h"
#include "executor/claim.h"
#include "executor/keeper_link.h"
#include "executor/learn.h"
#include "executor/offload.h"
#include "executor/stop.h"
#include "executor/terminal.h"
#include "policy/document.h"
#include "policy/line.h"

/* How far a caller's worker may be above it. No task can have more processes at the same time than
 * the kernel has numbers. */
#define LISTENER_DEPTH ((size_t)1 << 22)
#define LISTENER_NEAR  ((size_t)4) /* under the lock */
/* <linux/seccomp.h> of 6.6 */
#define NOTIF_SET_FLAGS_6_6    _IOW('!', 4, uint64_t)
#define NOTIF_SYNC_WAKE_UP_6_6 1UL

/* One notification while it is looked at without the lock. Generation and worker may be gone when
 * it comes back, so they are looked up again by their numbers. */
struct notice {
	struct job job;
	struct engine *engine; /* a reference */
	const struct generations *generations;
	uint64_t generation, worker;  /* worker 0: the listener belongs to the generation */
	pid_t zygote, keeper;         /* the parents of workers */
	bool recognised;              /* the caller is a worker itself */
	pid_t process, top;           /* the caller, and above it what is to be its worker */
	enum terminal_right terminal; /* if it is about one */
	pid_t group;                  /* of the caller, likewise */
	struct attempt attempt;
	bool learns;
	_Atomic bool answered; /* it was late */
};

/* Leaves the paths alone: they are large, and written before they are read. */
static void notice_init(struct notice *notice, struct engine *engine,
			const struct seccomp_notif *request) {
	notice->job = (struct job){ .run = NULL };
	notice->engine = engine;
	notice->recognised = false;
	notice->process = notice->top = 0;
	notice->terminal = TERMINAL_REFUSED;
	notice->group = 0;
	notice->answered = false;
	attempt_init(&notice->attempt, request);
	notice->learns = engine->options.public.learn && !attempt_is_foreign(&notice->attempt);
}

/* --- who ----------------------------------------------------------------------------------- */

/* The request names a thread of the worker, or of a process that it started. A listener of the
 * worker's own tells whose it is. A worker is a subreaper for as long as it lives, which the filter
 * sees to, so whatever a task starts has its worker above it. */
static void find_top(struct notice *notice, size_t most) {
	const pid_t roots[] = { notice->zygote, notice->keeper };

	if (notice->recognised)
		return;
	notice->process = (pid_t)process_status((pid_t)notice->attempt.request.pid, "Tgid:");
	if (!notice->worker)
		notice->top = process_climb(notice->process, roots, 2, most);
}

static bool is_alive(int pidfd) {
	int r = process_signal(pidfd, 0);

	return r == 0 || r == -EPERM;
}

/* As long as a process has not been reaped, its number is not another's. */
static struct worker *find_worker(const struct notice *notice,
				  const struct generation *generation) {
	struct worker *worker;

	if (notice->worker)
		return worker_find(generation, notice->worker);
	worker = worker_find_process(generation, notice->top);
	return worker && worker->state < WORKER_ENDED && is_alive(worker->pidfd) ? worker : NULL;
}

/* The last task that its worker has claimed: the results of the earlier ones are on the way. */
static struct wf_future *running_task(const struct worker *worker) {
	for (uint64_t s = worker->next_sequence; s > worker->first_sequence; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (future && claim_has_started(future))
			return future;
	}
	return NULL;
}

/* The zygote runs no task, and may open files, to look at its frozen image again. */
static bool is_zygote(const struct notice *notice, const struct generation *generation) {
	return notice->process == generation->pid && is_alive(generation->pidfd);
}

/* --- judging ------------------------------------------------------------------------------- */

/* Whose attempt it was. Without a future, the worker has no task now. Without a worker, it has ended
 * and left the caller behind, or has just been forked, and the zygote's Spawned is on its way. */
struct culprit {
	uint64_t id; /* of the notification */
	int listener;
	pid_t process;
	struct worker *worker;
	struct wf_future *future;
};

/* With error 0 this refusal ends the task. */
static void note(const struct attempt *attempt, const struct culprit *culprit,
		 const struct policy *policy, int error) {
	char name[48], arguments[1024], line[LINE_SIZE];
	const struct wf_refusal refusal = {
		.call = name,
		.arguments = arguments,
		.path = attempt->wanted,
		.allow = line,
		.error = error,
	};

	attempt_name(attempt, name, sizeof name);
	attempt_arguments(attempt, arguments, sizeof arguments);
	attempt_line(attempt, policy, line, sizeof line);
	if (culprit->worker)
		engine_log(culprit->worker->engine, LOG_INFO, "worker %d was refused %s(%s)",
			   (int)culprit->worker->pid, refusal.call, refusal.arguments);
	if (culprit->future && error)
		refusals_add(&culprit->future->refusals, &refusal);
	else if (culprit->future)
		refusals_end(&culprit->future->refusals, &refusal);
}

/* Does the caller wait for an answer? Otherwise it has been killed, and what has been found out about
 * its number since may be about another process. */
static bool is_asking(uint64_t id, int fd) {
	return fd >= 0 && ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* Killed before the call is answered, so that it never goes on; whatever else its worker has started
 * is ended with the worker. If it still waits for its answer when its number has been opened, then it
 * is this process that was opened. */
static void end_caller(const struct culprit *culprit) {
	cleanup_close int caller = process_open(culprit->process);

	if (caller >= 0 && is_asking(culprit->id, culprit->listener))
		(void)process_signal(caller, SIGKILL);
}

static void end_task(const struct culprit *culprit) {
	struct worker *worker = culprit->worker;

	end_caller(culprit);
	if (!worker)
		return;
	if (culprit->future) {
		stop_violation(culprit->future);
		return;
	}
	if (worker->state == WORKER_STARTED && worker->stop == STOP_NONE)
		worker_blame(worker, WF_PHASE_INITIALIZE, EPERM,
			     "its initializer did what the policy does not allow");
	stop_kill(worker); /* otherwise a leftover of its last task made the call */
}

/* Returns the error that the call fails with, if it is to go no further. */
static int tell(const struct attempt *attempt, const struct culprit *culprit,
		const struct policy *policy, int error, bool end) {
	note(attempt, culprit, policy, end ? 0 : error);
	if (end)
		end_task(culprit);
	return error;
}

static int refuse(const struct attempt *attempt, const struct culprit *culprit,
		  const struct policy *policy, int error) {
	/* the caller falls back to clone(2): nothing was withheld */
	if (attempt->request.data.nr == SYS_clone3)
		return error;
	return tell(attempt, culprit, policy, error,
		    policy->on_refusal == POLICY_END && error != ENOSYS);
}

/* Paths and ports: Landlock decides, because what we read may change in the meantime. */
static int leave_to_landlock(const struct attempt *attempt, const struct culprit *culprit,
			     const struct policy *policy, bool undeclared) {
	bool end = policy->on_refusal == POLICY_END;

	if (!undeclared)
		return 0;
	(void)tell(attempt, culprit, policy, EACCES, end);
	return end ? EACCES : 0;
}

static bool has_group(const struct policy *policy, const struct call *call) {
	return policy->groups & UINT64_C(1) << call->group;
}

static int judge(const struct attempt *attempt, const struct culprit *culprit,
		 const struct policy *policy) {
	const struct call *call = attempt->call;

	if (attempt_is_foreign(attempt))
		return tell(attempt, culprit, policy, EPERM, true);
	if (!call)
		return refuse(attempt, culprit, policy, ENOSYS);
	if (attempt_depends_on_path(attempt, policy) && has_group(policy, call))
		return leave_to_landlock(attempt, culprit, policy, attempt->wanted[0]);
	if (attempt_is_about_port(attempt) && has_group(policy, call))
		return leave_to_landlock(attempt, culprit, policy, attempt->port);
	return refuse(attempt, culprit, policy, call->error);
}

/* --- answering ----------------------------------------------------------------------------- */

/* The descriptor on which it came; -1: it is gone, and the kernel has answered ENOSYS. */
static int listener_of(const struct notice *notice, const struct generation *generation) {
	const struct worker *worker;

	if (!notice->worker)
		return generation->listener_fd;
	worker = worker_find(generation, notice->worker);
	return worker ? worker->listener_fd : -1;
}

static void answer(const struct notice *notice, int fd, int error) {
	struct seccomp_notif_resp response = {
		.id = notice->attempt.request.id,
		.error = -error,
		.flags = error ? 0u : (uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* A change of its terminal. As the kernel does, those that heed SIGTTOU are stopped by it until they
 * have the terminal. Of all answers, EINTR makes most programs try again then. */
static int judge_terminal(const struct notice *notice) {
	if (notice->terminal == TERMINAL_FREE)
		return 0;
	if (notice->terminal == TERMINAL_REFUSED || notice->group <= 1)
		return EIO;
	(void)kill(-notice->group, SIGTTOU);
	return EINTR;
}

static int decide(struct notice *notice, struct generation *generation, int fd) {
	struct culprit culprit = {
		.id = notice->attempt.request.id,
		.listener = fd,
		.process = notice->process,
		.worker = find_worker(notice, generation),
	};

	if (is_zygote(notice, generation))
		return 0;
	if (attempt_is_about_terminal(&notice->attempt))
		return judge_terminal(notice);
	if (culprit.worker)
		culprit.future = running_task(culprit.worker);
	return judge(&notice->attempt, &culprit, document_view(notice->engine->options.policy));
}

/* The future whose task made the call, referenced; NULL: no task did. */
static struct wf_future *find_learner(const struct notice *notice) {
	const struct generation *generation =
	    generations_find(notice->generations, notice->generation);
	struct worker *worker = generation ? find_worker(notice, generation) : NULL;
	struct wf_future *future = worker ? running_task(worker) : NULL;

	if (future)
		atomic_fetch_add(&future->references, 1);
	return future;
}

/* What no policy can allow is refused while learning too, so that the program takes the path that
 * it will have to take later. */
static int never(const struct attempt *attempt) {
	const struct call *call = attempt->call;

	if (!call)
		return ENOSYS;
	return call->group == CALLS_NEVER ? call->error : 0;
}

static void learn(struct notice *notice) {
	struct wf_future *future;

	engine_lock(notice->engine);
	future = find_learner(notice);
	engine_unlock(notice->engine);
	if (future)
		learn_attempt(future, &notice->attempt);
	(void)future_unref(future);
}

/* Under the lock. */
static void judge_and_answer(struct notice *notice) {
	struct generation *generation = generations_find(notice->generations, notice->generation);
	int fd = generation ? listener_of(notice, generation) : -1;

	if (!notice->answered && is_asking(notice->attempt.request.id, fd))
		answer(notice, fd,
		       notice->learns ? never(&notice->attempt) : decide(notice, generation, fd));
}

static void look_at_terminal(struct notice *notice) {
	const pid_t roots[] = { notice->zygote, notice->keeper };

	if (attempt_is_about_terminal(&notice->attempt))
		notice->terminal =
		    terminal_right((pid_t)notice->attempt.request.pid, roots, &notice->group);
}

/* Without the lock: the caller's memory and the files that it names may make us wait. */
static void run_notice(struct job *job) {
	struct notice *notice = container_of(job, struct notice, job);
	struct engine *engine = notice->engine;

	if (!notice->answered) {
		attempt_look(&notice->attempt, document_view(engine->options.policy),
			     notice->learns);
		find_top(notice, LISTENER_DEPTH);
		look_at_terminal(notice);
	}
	if (notice->learns && !notice->answered && never(&notice->attempt) == 0)
		learn(notice);
	engine_lock(engine);
	judge_and_answer(notice);
	engine_unlock(engine);
}

static void done_notice(struct job *job) {
	struct notice *notice = container_of(job, struct notice, job);

	(void)engine_unref(notice->engine);
	free(notice);
}

/* Answers from what the call itself tells: nothing is noted of a path, and no task is ended for
 * one, though Landlock refuses it all the same. */
static void answer_unlooked(struct notice *notice) {
	find_top(notice, LISTENER_NEAR);
	judge_and_answer(notice);
	notice->answered = true;
}

/* A file system or a memory that does not answer must not hold the caller longer than it does
 * outside a sandbox. A notice that a stuck thread may be writing to is copied first. */
static void on_late_notice(struct job *job, bool begun) {
	struct notice *notice = container_of(job, struct notice, job);
	struct notice *copy;

	if (!begun) {
		answer_unlooked(notice);
		return;
	}
	copy = malloc(sizeof *copy);
	if (!copy)
		return;
	notice_init(copy, notice->engine, &notice->attempt.request);
	copy->generations = notice->generations;
	copy->generation = notice->generation;
	copy->worker = notice->worker;
	copy->zygote = notice->zygote;
	copy->keeper = notice->keeper;
	copy->learns = notice->learns;
	answer_unlooked(copy);
	free(copy);
	notice->answered = true;
}

/* --- receiving ----------------------------------------------------------------------------- */

static void refuse_at_once(int fd, const struct seccomp_notif *request) {
	struct seccomp_notif_resp response = { .id = request->id, .error = -EPERM };

	(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Does the call tell everything, and is its worker near? Whoever forks deeply must not keep us. */
static bool is_plain(struct notice *notice) {
	const struct generation *generation =
	    generations_find(notice->generations, notice->generation);

	if (notice->learns || attempt_needs_look(&notice->attempt))
		return false;
	find_top(notice, LISTENER_NEAR);
	return !generation || notice->worker || is_zygote(notice, generation) ||
	       find_worker(notice, generation);
}

/* The task that made the call, as a number. Finding out costs more than most looks take. Those that
 * are not found, since they are too far from their worker, count as one. */
static uint64_t owner_of(struct notice *notice, enum job_kind kind) {
	const struct generation *generation =
	    generations_find(notice->generations, notice->generation);
	const struct worker *worker;
	const struct wf_future *future;

	if (!offload_is_crowded(notice->engine->offload, kind))
		return 0;
	find_top(notice, LISTENER_NEAR);
	worker = generation ? find_worker(notice, generation) : NULL;
	future = worker ? running_task(worker) : NULL;
	return future ? future->id : UINT64_MAX;
}

/* What is plain is answered at once: it must not wait behind something that is stuck. */
static void take(struct notice *notice) {
	struct engine *engine = notice->engine;
	bool looks = notice->learns || attempt_needs_look(&notice->attempt);
	enum job_kind kind = looks ? JOB_LOOK : JOB_CLIMB;

	if (is_plain(notice)) {
		judge_and_answer(notice);
		free(notice);
		return;
	}
	(void)engine_ref(engine);
	notice->job = (struct job){
		.kind = kind,
		.owner = owner_of(notice, kind),
		.run = run_notice,
		.done = done_notice,
		.late = looks ? on_late_notice : NULL,
	};
	offload_add(engine->offload, &notice->job);
}

/* Without a look at /proc, which takes longer than all else that is done for most calls. */
static void recognise(struct notice *notice, const struct generation *generation) {
	pid_t pid = (pid_t)notice->attempt.request.pid;
	const struct worker *worker = worker_find_process(generation, pid);

	if (!worker || worker->state >= WORKER_ENDED)
		return;
	notice->recognised = true;
	notice->process = notice->top = pid;
}

static void receive(int fd, struct generation *generation, uint64_t worker) {
	struct engine *engine = generation->engine;
	struct seccomp_notif request;
	struct notice *notice;

	memset(&request, 0, sizeof request); /* required by the kernel */
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* the caller was killed before it could be asked */
	notice = malloc(sizeof *notice);
	if (!notice) {
		refuse_at_once(fd, &request);
		return;
	}
	notice_init(notice, engine, &request);
	notice->generations = generation->generations;
	notice->generation = generation->number;
	notice->worker = worker;
	notice->zygote = generation->pid;
	notice->keeper = generation->keeper->pid;
	recognise(notice, generation);
	take(notice);
}

/* One at a time, so that one busy task cannot keep the others waiting: the loop tells of the next.
 * Returns false if no process is left under this filter. */
static bool receive_one(int fd, uint32_t events, struct generation *generation, uint64_t worker) {
	if (!(events & EPOLLIN))
		return false;
	receive(fd, generation, worker);
	return true;
}

static void on_generation(struct source *source, uint32_t events) {
	struct generation *generation = container_of(source, struct generation, listener_source);

	if (receive_one(generation->listener_fd, events, generation, 0))
		return;
	source_remove(source);
	generation->listener_fd = fd_close(generation->listener_fd);
}

static void on_worker(struct source *source, uint32_t events) {
	struct worker *worker = container_of(source, struct worker, listener_source);

	if (receive_one(worker->listener_fd, events, worker->generation, worker->id))
		return;
	source_remove(source);
	worker->listener_fd = fd_close(worker->listener_fd);
}

static int start(struct engine *engine, struct source *source, int *fd, source_handler handler) {
	int r;

	/* The caller sleeps until it is answered, and waking it on the same CPU takes a fifth of
	 * the time. This needs Linux 6.6; without it we are merely slower. */
	(void)ioctl(*fd, NOTIF_SET_FLAGS_6_6, NOTIF_SYNC_WAKE_UP_6_6);
	r = source_add(engine->loop, source, *fd, EPOLLIN, handler);
	if (r < 0)
		*fd = fd_close(*fd);
	return error_trace(r);
}

int listener_start_generation(struct generation *generation) {
	return start(generation->engine, &generation->listener_source, &generation->listener_fd,
		     on_generation);
}

int listener_start_worker(struct worker *worker) {
	return start(worker->engine, &worker->listener_source, &worker->listener_fd, on_worker);
}
