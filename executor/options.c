/* SPDX-License-Identifier: MIT
 *
 * Options come from a caller who may have been compiled against an older or newer header: the size
 * member says how much of the struct he knows. What he does not know is default; what we do not
 * know must be zero.
 */
#include "executor/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/report.h"
#include "executor/known.h"
#include "executor/task.h"
#include "policy/document.h"
#include "proto/limits.h"

#define OPTIONS_SIZE_FIRST sizeof(struct wf_executor_options) /* of 0.1 */

int options_default_workers(void) {
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > WF_MAX_WORKERS ? WF_MAX_WORKERS : n;
}

static int check_range(const char *name, long value, long low, long high) {
	if (value < low || value > high)
		return report_error(-EINVAL, "options.%s is %ld; it must be from %ld to %ld", name,
				    value, low, high);
	return 0;
}

struct range {
	const char *name;
	long value, low, high;
};

static int check_ranges(const struct wf_executor_options *o) {
	const struct range ranges[] = {
		{ "image", (long)o->image, 0, WF_IMAGE_COMMAND },
		{ "workers", o->workers, 0, WF_MAX_WORKERS },
		{ "min_workers", o->min_workers, 0, o->workers ? o->workers : WF_MAX_WORKERS },
		{ "max_tasks_per_worker", o->max_tasks_per_worker, 0, INT_MAX },
		{ "spares", o->spares, WF_NO_SPARES, WF_MAX_WORKERS },
		{ "idle_timeout_ms", o->idle_timeout_ms, WF_FOREVER, INT_MAX },
		{ "preload_timeout_ms", o->preload_timeout_ms, WF_FOREVER, INT_MAX },
		{ "hand_ahead", o->hand_ahead, 0, WF_MAX_HAND_AHEAD },
		{ "queue_full", (long)o->queue_full, 0, WF_QUEUE_WAIT },
		{ "queue_wait_ms", o->queue_wait_ms, 0, INT_MAX },
		{ "timeout_ms", o->timeout_ms, 0, INT_MAX },
		{ "kill_grace_ms", o->kill_grace_ms, WF_NO_GRACE, INT_MAX },
		{ "on_timeout", (long)o->on_timeout, 0, WF_TIMEOUT_STOP },
		{ "max_attempts", o->max_attempts, 0, WF_MAX_DEATHS },
		{ "start_attempts", o->start_attempts, 0, INT_MAX },
		{ "backoff_ms", o->backoff_ms, 0, INT_MAX },
		{ "backoff_max_ms", o->backoff_max_ms, 0, INT_MAX },
		{ "zygote_reply_ms", o->zygote_reply_ms, 0, INT_MAX },
		{ "audit_waive", (long)o->audit_waive, 0, 2 * WF_AUDIT_CHILDREN - 1 },
		{ "freeze", (long)o->freeze, 0, WF_FREEZE_NEVER },
		{ "spin_us", o->spin_us, 0, WF_MAX_SPIN_US },
		{ "placement", (long)o->placement, 0, WF_PLACE_SPREAD },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		int r = check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_image(const struct wf_executor_options *o) {
	if (o->image == WF_IMAGE_MODULE && (!o->module || !*o->module))
		return report_error(-EINVAL,
				    "options.module is missing: the path of a shared object");
	if (o->image != WF_IMAGE_MODULE && o->module)
		return report_error(-EINVAL, "options.module is set, but the image is %s",
				    o->image == WF_IMAGE_SELF ? "WF_IMAGE_SELF"
							      : "WF_IMAGE_COMMAND");
	if (o->image == WF_IMAGE_COMMAND && o->max_tasks_per_worker > 1)
		return report_error(-EINVAL,
				    "options.max_tasks_per_worker is %d, but a worker of "
				    "WF_IMAGE_COMMAND becomes its task",
				    o->max_tasks_per_worker);
	if (o->learn && !o->policy)
		return report_error(-EINVAL, "options.learn is set, but there is no options.policy "
					     "to start from");
	if (o->preload_argument_size > LIMIT_PRELOAD_ARGUMENT)
		return report_error(-E2BIG, "options.preload_argument has %zu bytes; at most %zu",
				    o->preload_argument_size, LIMIT_PRELOAD_ARGUMENT);
	if (o->preload_argument_size && !o->preload_argument)
		return report_error(-EINVAL,
				    "options.preload_argument is NULL, but its size is %zu",
				    o->preload_argument_size);
	if (o->name && strlen(o->name) >= LIMIT_NAME)
		return report_error(-E2BIG, "options.name is longer than %d bytes", LIMIT_NAME - 1);
	return 0;
}

static void fill_int(int *value, int standard) {
	if (*value == 0)
		*value = standard;
}

static void fill_defaults(struct wf_executor_options *o) {
	if (o->image == WF_IMAGE_COMMAND)
		o->max_tasks_per_worker = 1;
	fill_int(&o->workers, options_default_workers());
	fill_int(&o->preload_timeout_ms, 60000);
	fill_int(&o->spares, o->workers);
	fill_int(&o->idle_timeout_ms, 10000);
	fill_int(&o->kill_grace_ms, 2000);
	fill_int(&o->max_attempts, 3);
	fill_int(&o->start_attempts, 5);
	fill_int(&o->backoff_ms, 10);
	fill_int(&o->backoff_max_ms, 1000);
	fill_int(&o->zygote_reply_ms, 10000);
	if (o->spares == WF_NO_SPARES)
		o->spares = 0;
	if (o->min_workers > o->workers)
		o->min_workers = o->workers;
}

static char *absolute_path(const char *path) {
	char *directory, *joined = NULL;

	if (path[0] == '/')
		return strdup(path);
	directory = getcwd(NULL, 0);
	if (!directory || asprintf(&joined, "%s/%s", directory, path) < 0)
		joined = NULL;
	free(directory);
	return joined;
}

static char *default_name(const struct wf_executor_options *o) {
	const char *path = o->module ? o->module : program_invocation_short_name;
	const char *base = strrchr(path, '/');
	char *name = strndup(base ? base + 1 : path, LIMIT_NAME - 1);
	char *suffix = name ? strstr(name, ".so") : NULL;

	if (suffix && o->module)
		*suffix = '\0';
	return name;
}

static int copy_strings(struct options *options) {
	struct wf_executor_options *o = &options->public;

	options->name = o->name ? strdup(o->name) : default_name(o);
	if (!options->name)
		return report_internal(-ENOMEM, "copying the options");
	if (o->module) {
		options->module = absolute_path(o->module);
		if (!options->module)
			return report_internal(-ENOMEM, "copying the options");
		if (strlen(options->module) >= LIMIT_PATH)
			return report_error(-E2BIG, "options.module is longer than %d bytes",
					    LIMIT_PATH - 1);
	}
	if (o->preload_argument_size) {
		options->preload_argument = malloc(o->preload_argument_size);
		if (!options->preload_argument)
			return report_internal(-ENOMEM, "copying the options");
		memcpy(options->preload_argument, o->preload_argument, o->preload_argument_size);
	}
	if (o->helper) {
		o->helper = strdup(o->helper);
		if (!o->helper)
			return report_internal(-ENOMEM, "copying the options");
	}
	return 0;
}

uint64_t options_limit(const struct options *options, enum policy_limit limit) {
	return options->policy ? document_view(options->policy)->limits[limit] : POLICY_NO_LIMIT;
}

int options_wall_ms(const struct options *options) {
	uint64_t wall = options_limit(options, POLICY_WALL);

	if (wall == POLICY_NO_LIMIT)
		return 0;
	wall = (wall + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return wall > INT_MAX ? INT_MAX : (int)wall;
}

static int copy_policy(struct options *options) {
	const struct wf_policy *given = options->public.policy;
	int r;

	options->public.policy = NULL;
	if (!given)
		return 0;
	r = document_check(given);
	if (r < 0)
		return r;
	options->policy = document_copy(given);
	if (!options->policy)
		return report_internal(-ENOMEM, "copying the policy");
	return 0;
}

int options_init(struct options *options, const struct wf_executor_options *given) {
	struct wf_executor_options taken = { .size = 0 };
	int r;

	*options = (struct options){ .module = NULL };
	if (!given)
		return report_error(-EINVAL, "options is NULL");
	r = known_take(&taken, sizeof(taken), given, OPTIONS_SIZE_FIRST, "options");
	r = r < 0 ? r : check_ranges(&taken);
	r = r < 0 ? r : check_image(&taken);
	if (r < 0)
		return r;
	options->public = taken;
	if (sched_getaffinity(0, sizeof(options->cpus), &options->cpus) < 0)
		CPU_ZERO(&options->cpus);
	options->spares_given = taken.spares;
	options->public.helper = NULL;
	fill_defaults(&options->public);
	options->public.helper = taken.helper;
	r = copy_strings(options);
	if (r >= 0)
		r = task_context_new(taken.context, &options->context);
	if (r >= 0)
		r = copy_policy(options);
	options->public.module = options->module;
	options->public.name = options->name;
	options->public.preload_argument = options->preload_argument;
	options->public.context = NULL;
	if (r < 0)
		options_deinit(options);
	else
		options->file = options_file_now(options);
	return r;
}

uint32_t options_cpu(const struct options *options, unsigned slot) {
	unsigned n = (unsigned)CPU_COUNT(&options->cpus), wanted;

	if (options->public.placement != WF_PLACE_SPREAD || n == 0)
		return 0;
	wanted = slot % n;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &options->cpus) && wanted-- == 0)
			return cpu + 1;
	return 0;
}

void options_deinit(struct options *options) {
	/* helper is our copy behind a pointer to const */
	free((void *)(uintptr_t)options->public.helper);
	options->context = task_context_free(options->context);
	(void)wf_policy_free(options->policy);
	free(options->module);
	free(options->name);
	free(options->preload_argument);
	*options = (struct options){ .module = NULL };
}

static bool same_text(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool options_equal(const struct options *a, const struct options *b) {
	struct wf_executor_options x = a->public, y = b->public;

	if (!same_text(x.module, y.module) || !same_text(x.name, y.name) ||
	    !same_text(x.helper, y.helper) || x.preload_argument_size != y.preload_argument_size)
		return false;
	if (x.preload_argument_size &&
	    memcmp(x.preload_argument, y.preload_argument, x.preload_argument_size) != 0)
		return false;
	if (!task_context_equal(a->context, b->context) || !document_equal(a->policy, b->policy) ||
	    x.learn != y.learn)
		return false;
	return x.image == y.image && a->spares_given == b->spares_given &&
	       x.preload_timeout_ms == y.preload_timeout_ms && x.audit_waive == y.audit_waive &&
	       x.min_workers == y.min_workers && x.max_tasks_per_worker == y.max_tasks_per_worker &&
	       x.idle_timeout_ms == y.idle_timeout_ms && x.hand_ahead == y.hand_ahead &&
	       x.recycle_memory == y.recycle_memory && x.queue_limit == y.queue_limit &&
	       x.queue_full == y.queue_full && x.queue_wait_ms == y.queue_wait_ms &&
	       x.timeout_ms == y.timeout_ms && x.kill_grace_ms == y.kill_grace_ms &&
	       x.on_timeout == y.on_timeout && x.stack_on_timeout == y.stack_on_timeout &&
	       x.max_attempts == y.max_attempts && x.start_attempts == y.start_attempts &&
	       x.backoff_ms == y.backoff_ms && x.backoff_max_ms == y.backoff_max_ms &&
	       x.zygote_reply_ms == y.zygote_reply_ms && x.freeze == y.freeze &&
	       x.touch_ahead == y.touch_ahead && x.spin_us == y.spin_us &&
	       x.placement == y.placement && x.caller_driven == y.caller_driven && x.log == y.log &&
	       x.log_context == y.log_context;
}

struct file_identity options_file_now(const struct options *options) {
	struct stat st;

	if (stat(options->module ? options->module : "/proc/self/exe", &st) < 0)
		return (struct file_identity){ .inode = 0 };
	return (struct file_identity){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns =
		    (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec,
	};
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b) {
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}
