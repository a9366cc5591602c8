/* SPDX-License-Identifier: MIT
 *
 * Strict: the first layer that cannot be had refuses the image, by name. Best effort: what cannot be
 * had is left out and listed as missing. Nothing else is ever left out.
 *
 * What takes memory is made in children (builder.c): the zygote must not write to what it has frozen.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/process.h"
#include "sandbox/builder.h"
#include "sandbox/landlock.h"
#include "sandbox/namespace.h"
#include "sandbox/probe.h"
#include "sandbox/view.h"

/* What their runtimes call beyond is allowed in builds for tests only, and listed among the layers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

/* Who has nothing: of Debian, and of the kernel (overflowuid). */
#define NOBODY 65534
/* SIGXCPU at the limit, SIGKILL so much later. */
#define CPU_GRACE_S 1

int sandbox_fail(struct sandbox_trouble *trouble, uint32_t layer, int error, const char *format,
		 ...) {
	va_list arguments;

	trouble->layer = layer;
	va_start(arguments, format);
	(void)vsnprintf(trouble->text, sizeof trouble->text, format, arguments);
	va_end(arguments);
	return error_origin(error > 0 ? -error : -EIO);
}

static bool wants(const struct policy *policy, uint32_t layer) {
	return (policy->layers & layer) != 0;
}

static bool has(const struct sandbox *sandbox, uint32_t layer) {
	return (sandbox->layers & layer) != 0;
}

/* A layer that cannot be had: the end, or a note. 0: go on without. */
static int without(struct sandbox *sandbox, const struct policy *policy, int r,
		   const struct sandbox_trouble *trouble) {
	if (policy->strict || trouble->layer == 0)
		return error_trace(r);
	sandbox->missing |= trouble->layer;
	sandbox->layers &= ~trouble->layer;
	return 0;
}

/* --- environment --------------------------------------------------------------------------- */

int sandbox_environment(const struct policy *policy) {
	size_t size = (policy->n_environment + 1) * sizeof(char *);
	char **vector, *strings;

	for (size_t i = 0; i < policy->n_environment; i++)
		size += strlen(policy->environment[i]) + 1;
	vector = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vector == MAP_FAILED)
		return error_origin(-errno);
	strings = (char *)(vector + policy->n_environment + 1);
	for (size_t i = 0; i < policy->n_environment; i++) {
		size_t length = strlen(policy->environment[i]) + 1;

		vector[i] = memcpy(strings, policy->environment[i], length);
		strings += length;
	}
	vector[policy->n_environment] = NULL;
	environ = vector;
	return 0;
}

/* --- limits and privileges ----------------------------------------------------------------- */

static int limit_set(int resource, uint64_t soft, uint64_t hard) {
	struct rlimit limit = { soft, hard }, now;

	/* nobody may raise a hard limit; a lower one that is there is strict enough */
	if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < hard) {
		limit.rlim_max = now.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
	}
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? error_origin(-errno) : 0;
}

/* Those that the zygote can live with: what is exhausted per user, not per process, and core dumps. */
static int limits_inherited(void) {
	static const struct {
		int resource;
		uint64_t most;
	} limits[] = {
		{ RLIMIT_CORE, 0 },   { RLIMIT_MEMLOCK, 1 << 16 },    { RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 }, { RLIMIT_SIGPENDING, 1 << 10 }, { RLIMIT_NICE, 0 },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof limits / sizeof limits[0] && r == 0; i++)
		r = limit_set(limits[i].resource, limits[i].most, limits[i].most);
	return error_trace(r);
}

static int limits_own(const struct sandbox *sandbox) {
	const uint64_t *limits = sandbox->limits;
	int r = 0;

	if (limits[POLICY_DESCRIPTORS] != POLICY_NO_LIMIT)
		r = limit_set(RLIMIT_NOFILE, limits[POLICY_DESCRIPTORS],
			      limits[POLICY_DESCRIPTORS]);
	if (r == 0 && limits[POLICY_FILE_SIZE] != POLICY_NO_LIMIT)
		r = limit_set(RLIMIT_FSIZE, limits[POLICY_FILE_SIZE], limits[POLICY_FILE_SIZE]);
	if (r == 0 && limits[POLICY_CPU] != POLICY_NO_LIMIT) {
		uint64_t seconds = (limits[POLICY_CPU] + NSEC_PER_SEC - 1) / NSEC_PER_SEC;

		r = limit_set(RLIMIT_CPU, seconds, seconds + CPU_GRACE_S);
	}
	if (r == 0 && sandbox->own_user_namespace)
		r = limit_set(RLIMIT_NPROC, limits[POLICY_PROCESSES], limits[POLICY_PROCESSES]);
	if (r == 0 && limits[POLICY_MEMORY] != POLICY_NO_LIMIT && !has(sandbox, LAYER_CGROUP))
		r = limit_set(RLIMIT_DATA, sandbox->memory_base + limits[POLICY_MEMORY],
			      sandbox->memory_base + limits[POLICY_MEMORY]);
	return error_trace(r);
}

static int capabilities_set(uint32_t low, uint32_t high) {
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { low, low, 0 },
									       { high, high, 0 } };

	return syscall(SYS_capset, &header, data) < 0 ? error_origin(-errno) : 0;
}

#define CAPABILITY(name) (UINT32_C(1) << CAP_##name)

/* What entering takes, and ending processes of another user; nobody can gain any by exec. */
static int capabilities_of_zygote(void) {
	const uint32_t kept = CAPABILITY(SETUID) | CAPABILITY(SETGID) | CAPABILITY(KILL) |
			      CAPABILITY(SYS_CHROOT) | CAPABILITY(SYS_ADMIN);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, now) < 0)
		return error_origin(-errno);
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0,
			    0); /* without SETPCAP: none is there */
	return error_trace(capabilities_set(now[0].permitted & kept, 0));
}

static int restrict_zygote(struct sandbox *sandbox, const struct policy *policy,
			   struct sandbox_trouble *trouble) {
	int r;

	r = wants(policy, LAYER_LIMITS) ? limits_inherited() : 0;
	if (r < 0) {
		r = sandbox_fail(trouble, LAYER_LIMITS, -r, "resource limits: %s",
				 strerrordesc_np(-r));
		r = without(sandbox, policy, r, trouble);
	} else {
		sandbox->layers |= policy->layers & LAYER_LIMITS;
	}
	if (r < 0)
		return error_trace(r);
	/* Landlock and filters take it, where there are no capabilities */
	if (wants(policy, LAYER_NO_NEW_PRIVS | LAYER_LANDLOCK | LAYER_SECCOMP)) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return sandbox_fail(trouble, LAYER_NO_NEW_PRIVS, errno, "no_new_privs: %s",
					    strerrordesc_np(errno));
		sandbox->layers |= LAYER_NO_NEW_PRIVS;
	}
	if (!wants(policy, LAYER_CAPABILITIES))
		return 0;
	r = capabilities_of_zygote();
	if (r < 0)
		return sandbox_fail(trouble, LAYER_CAPABILITIES, -r, "capabilities: %s",
				    strerrordesc_np(-r));
	sandbox->layers |= LAYER_CAPABILITIES;
	return 0;
}

static int settle_identity(struct sandbox *sandbox, struct policy *policy,
			   struct sandbox_trouble *trouble) {
	bool root = geteuid() == 0;

	sandbox->uid = policy->has_identity ? policy->uid : root ? NOBODY : geteuid();
	sandbox->gid = policy->has_identity ? policy->gid : root ? NOBODY : getegid();
	policy->uid = sandbox->uid;
	policy->gid = sandbox->gid;
	if (!wants(policy, LAYER_IDENTITY))
		return 0;
	if (!root && (sandbox->uid != geteuid() || sandbox->gid != getegid()))
		return sandbox_fail(trouble, LAYER_IDENTITY, EPERM,
				    "identity %u:%u can only be taken by root", sandbox->uid,
				    sandbox->gid);
	sandbox->change_identity = root && (sandbox->uid != 0 || sandbox->gid != 0);
	sandbox->layers |= LAYER_IDENTITY;
	return 0;
}

/* --- counted limits ------------------------------------------------------------------------ */

/* Without a group RLIMIT_DATA counts private memory; where that is not enough, the filter allows no other. */
static int settle_memory(struct sandbox *sandbox, const struct policy *policy, bool group,
			 struct sandbox_trouble *trouble) {
	if (policy->limits[POLICY_MEMORY] == POLICY_NO_LIMIT || group)
		return 0;
	if (!policy->strict)
		sandbox->missing |= LAYER_CGROUP;
	if (wants(policy, LAYER_LIMITS))
		return 0;
	return sandbox_fail(trouble, LAYER_CGROUP, EPERM,
			    "limits.memory needs a control group or the layer limits");
}

/* Who may not make control groups counts the processes of each worker in a user namespace of its own. */
static int settle_processes(struct sandbox *sandbox, const struct policy *policy, bool group,
			    const char *why, struct sandbox_trouble *trouble) {
	if (policy->limits[POLICY_PROCESSES] == POLICY_NO_LIMIT || group)
		return 0;
	sandbox->own_user_namespace = wants(policy, LAYER_USER) && wants(policy, LAYER_LIMITS) &&
				      !feature_hidden(FEATURE_USERNS);
	if (sandbox->own_user_namespace)
		return 0;
	return sandbox_fail(trouble, LAYER_CGROUP, EPERM,
			    "limits.processes needs a control group with pids, or a user namespace "
			    "for each worker: %s",
			    why);
}

static int settle_counted(struct sandbox *sandbox, const struct policy *policy,
			  struct sandbox_trouble *trouble) {
	uint64_t memory = policy->limits[POLICY_MEMORY], pids = policy->limits[POLICY_PROCESSES];
	char why[256] = "the policy leaves out the layer cgroup";
	bool group = false;
	int r;

	if (memory == POLICY_NO_LIMIT && pids == POLICY_NO_LIMIT)
		return 0;
	if (wants(policy, LAYER_CGROUP))
		group = cgroup_prepare(&sandbox->cgroup, memory, pids, why, sizeof why) == 0;
	if (group)
		sandbox->layers |= LAYER_CGROUP;
	r = settle_processes(sandbox, policy, group, why, trouble);
	return r < 0 ? error_trace(r) : error_trace(settle_memory(sandbox, policy, group, trouble));
}

/* --- preparing ----------------------------------------------------------------------------- */

static void text_add(struct sandbox *sandbox, const char *text) {
	size_t used = strlen(sandbox->text);

	(void)snprintf(sandbox->text + used, sizeof sandbox->text - used, "%s", text);
}

static void text_list(struct sandbox *sandbox, uint32_t layers) {
	const char *comma = "";

	for (uint32_t i = 0; i < N_LAYERS; i++) {
		uint32_t layer = UINT32_C(1) << i;
		char number[16] = "";

		if (!(layers & layer))
			continue;
		if (layer == LAYER_LANDLOCK && sandbox->landlock_abi > 0)
			(void)snprintf(number, sizeof number, " %d", sandbox->landlock_abi);
		text_add(sandbox, comma);
		text_add(sandbox, policy_layer_name(layer));
		text_add(sandbox, number);
		comma = ", ";
	}
}

static void describe(struct sandbox *sandbox) {
	sandbox->text[0] = '\0';
	text_list(sandbox, sandbox->layers);
	if (sandbox->layers == 0)
		text_add(sandbox, "none");
	if (sandbox->missing) {
		text_add(sandbox, "; not in force: ");
		text_list(sandbox, sandbox->missing & ~sandbox->layers);
	}
}

/* The zygote opens nothing under a filter that tells of it: what its loop reads is open before. */
static int open_kept(struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	sandbox->own_children = open(path, O_RDONLY | O_CLOEXEC);
	sandbox->null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (sandbox->null_device < 0)
		return sandbox_fail(trouble, 0, errno, "/dev/null: %s", strerrordesc_np(errno));
	return 0;
}

/* A filter in each worker, where entering takes what no filter may allow. */
static bool filter_is_inherited(const struct sandbox *sandbox, const struct policy *policy) {
	return filter_suits_zygote(policy) && !policy->learn && has(sandbox, LAYER_PID) &&
	       !sandbox->own_user_namespace && !sandbox->scratch && !has(sandbox, LAYER_CGROUP) &&
	       sandbox->own_children >= 0;
}

int sandbox_close(struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	int r;

	if (!sandbox->filter_inherited)
		return 0;
	r = filter_install(&sandbox->filter, sandbox->filter_listens);
	if (r < 0)
		return sandbox_fail(trouble, LAYER_SECCOMP, -r,
				    "the system call filter cannot be installed: %s",
				    strerrordesc_np(-r));
	if (sandbox->filter_listens)
		sandbox->listener = r;
	sandbox->filter.n = 0;
	return 0;
}

static int settle_scratch(struct sandbox *sandbox, const struct policy *policy,
			  struct sandbox_trouble *trouble) {
	if (!sandbox->scratch)
		return 0;
	sandbox->below = view_list_below(policy, &sandbox->n_below);
	return sandbox->below
		   ? 0
		   : sandbox_fail(trouble, LAYER_MOUNT, E2BIG,
				  "too many paths below /tmp, or one too long, where each "
				  "worker has a /tmp of its own (limits.scratch)");
}

/* Made while namespaces are entered, on another CPU if there is one. */
static struct builder_job filter_job;

static int start_filter(struct sandbox *sandbox, const struct policy *policy,
			struct sandbox_trouble *trouble) {
	return wants(policy, LAYER_SECCOMP)
		   ? builder_start(&filter_job, sandbox, policy, LAYER_SECCOMP, trouble)
		   : 0;
}

static int finish_filter(struct sandbox *sandbox, const struct policy *policy,
			 struct sandbox_trouble *trouble) {
	return wants(policy, LAYER_SECCOMP) ? builder_finish(&filter_job, sandbox, trouble) : 0;
}

static int build_files(struct sandbox *sandbox, const struct policy *policy,
		       struct sandbox_trouble *trouble) {
	const uint32_t layers = policy->layers & (LAYER_MOUNT | LAYER_LANDLOCK);
	struct builder_job job;
	int r;

	if (layers == 0)
		return 0;
	r = builder_start(&job, sandbox, policy, layers, trouble);
	return r < 0 ? error_trace(r) : error_trace(builder_finish(&job, sandbox, trouble));
}

static int enter_namespaces(struct sandbox *sandbox, const struct policy *policy,
			    struct sandbox_trouble *trouble) {
	int r = namespace_enter(sandbox, policy->layers & LAYER_NAMESPACES & ~(uint32_t)LAYER_MOUNT,
				policy->strict, trouble);

	if (r == 0 && (r = namespace_finish_network(sandbox, policy->families, trouble)) < 0)
		r = without(sandbox, policy, r, trouble);
	if (r == 0 && has(sandbox, LAYER_PID))
		r = namespace_start_init(sandbox, trouble);
	return error_trace(r);
}

static void sandbox_init(struct sandbox *sandbox, const struct policy *policy) {
	uint64_t base = sandbox->memory_base;
	bool command = sandbox->command;
	int lifeline = sandbox->lifeline;

	*sandbox = (struct sandbox){
		.on = true,
		.view = -1,
		.ruleset = -1,
		.listener = -1,
		.init_children = -1,
		.own_children = -1,
		.null_device = -1,
		.memory_base = base,
		.command = command,
		.lifeline = lifeline,
		.probe_workers = policy->probe_workers,
	};
	memcpy(sandbox->limits, policy->limits, sizeof sandbox->limits);
	if (wants(policy, LAYER_LANDLOCK))
		sandbox->landlock_abi = landlock_abi();
	/* a learner is told of all, and refused nothing */
	sandbox->scratch = policy->limits[POLICY_SCRATCH] != POLICY_NO_LIMIT && !policy->learn &&
			   wants(policy, LAYER_MOUNT);
}

typedef int (*prepare_step)(struct sandbox *sandbox, const struct policy *policy,
			    struct sandbox_trouble *trouble);

int sandbox_prepare(struct sandbox *sandbox, const struct policy *given,
		    struct sandbox_trouble *trouble) {
	static const prepare_step steps[] = {
		settle_counted, settle_scratch, start_filter,    enter_namespaces,
		build_files,    finish_filter,  restrict_zygote,
	};
	struct policy policy = *given;
	int r;

	sandbox_init(sandbox, &policy);
	if (SANITIZED && !policy.learn) {
		policy.groups |= UINT64_C(1) << CALLS_SANITIZER;
		sandbox->layers |= LAYER_SANITIZER;
	}
	r = open_kept(sandbox, trouble);
	if (r == 0 && (r = settle_identity(sandbox, &policy, trouble)) < 0)
		r = without(sandbox, &policy, r, trouble);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && r == 0; i++) {
		r = steps[i](sandbox, &policy, trouble);
		if (r < 0)
			r = without(sandbox, &policy, r, trouble);
	}
	sandbox->scratch = sandbox->scratch && has(sandbox, LAYER_MOUNT);
	sandbox->layers |= wants(&policy, LAYER_DESCRIPTORS) ? LAYER_DESCRIPTORS : 0;
	if (r == 0)
		r = probe_run(sandbox, &policy, trouble);
	sandbox->filter_listens = policy.report != POLICY_REPORT_NONE || policy.learn;
	sandbox->filter_inherited =
	    has(sandbox, LAYER_SECCOMP) && filter_is_inherited(sandbox, &policy);
	describe(sandbox);
	return error_trace(r);
}

/* --- entering ------------------------------------------------------------------------------ */

static int enter_identity(const struct sandbox *sandbox) {
	if (!sandbox->change_identity)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(sandbox->gid, sandbox->gid, sandbox->gid) < 0 ||
	    setresuid(sandbox->uid, sandbox->uid, sandbox->uid) < 0)
		return error_origin(-errno);
	return 0;
}

int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       const char **ret_step) {
	int r = 0;

	*ret_step = "control group";
	if (group)
		r = cgroup_enter(group);
	if (r == 0 && sandbox->view >= 0) {
		*ret_step = "view of the file system";
		r = view_enter(sandbox->view);
	}
	if (r == 0 && sandbox->scratch) {
		*ret_step = "scratch space";
		r = view_mount_scratch(sandbox->limits[POLICY_SCRATCH], sandbox->below,
				       sandbox->n_below);
	}
	if (r == 0) {
		*ret_step = "identity";
		r = enter_identity(sandbox);
	}
	if (r == 0 && sandbox->own_user_namespace) {
		*ret_step = "user namespace";
		r = namespace_own_user();
	}
	return error_trace(r);
}

int sandbox_enter_rest(const struct sandbox *sandbox, int *ret_listener, const char **ret_step) {
	int r = 0;

	*ret_listener = -1;
	if (has(sandbox, LAYER_LIMITS)) {
		*ret_step = "resource limits";
		r = limits_own(sandbox);
	}
	if (r == 0 && has(sandbox, LAYER_LANDLOCK)) {
		*ret_step = "Landlock domain";
		r = landlock_enter(sandbox->ruleset);
	}
	if (r == 0 && has(sandbox, LAYER_CAPABILITIES)) {
		*ret_step = "capabilities";
		r = capabilities_set(0, 0);
	}
	if (r == 0 && sandbox->filter.n > 0) {
		*ret_step = "system call filter";
		r = filter_install(&sandbox->filter, sandbox->filter_listens);
		if (r >= 0 && sandbox->filter_listens)
			*ret_listener = r;
		r = r > 0 ? 0 : r;
	}
	return error_trace(r);
}
