/* SPDX-License-Identifier: MIT
 *
 * Options may come from a caller that was compiled with an older or newer header: the size member
 * says how much of the struct it knows. Members it does not know take their defaults; members that
 * we do not know must be zero.
 */
#include "executor/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/report.h"
#include "executor/known.h"
#include "executor/task.h"
#include "policy/document.h"
#include "proto/limits.h"

/* --- the table ----------------------------------------------------------------------------- */

#define AT(member)                                                                                 \
#member, offsetof(struct wf_executor_options, member),                                     \
	    sizeof(((struct wf_executor_options *)NULL)->member)
#define INT(member, ...)                                                                           \
	{ AT(member), .type = OPTION_INT, __VA_ARGS__ }
#define TYPED(member, ...)                                                                         \
	{ AT(member), __VA_ARGS__ }

/* In the order of the header. */
/* NOLINTBEGIN(bugprone-sizeof-expression): a member that is a pointer has the size of one. */
static const struct option table[] = {
	INT(image, .high = WF_IMAGE_COMMAND),
	TYPED(module, OPTION_TEXT),
	TYPED(name, OPTION_TEXT),
	TYPED(preload_argument, OPTION_POINTER, .same = OPTION_SAME_ELSEWHERE),
	TYPED(preload_argument_size, OPTION_COUNT),
	INT(preload_timeout_ms, .high = INT_MAX, .sentinel = WF_FOREVER, .standard = 60000),
	INT(audit_waive, .high = 2 * WF_AUDIT_CHILDREN - 1),
	INT(freeze, .high = WF_FREEZE_NEVER),
	INT(workers, .high = WF_MAX_WORKERS, .same = OPTION_SAME_ALWAYS),
	INT(min_workers, .high = WF_MAX_WORKERS),
	INT(max_tasks_per_worker, .high = INT_MAX),
	INT(spares, .high = WF_MAX_WORKERS, .sentinel = WF_NO_SPARES,
	    .same = OPTION_SAME_ELSEWHERE),
	INT(idle_timeout_ms, .high = INT_MAX, .sentinel = WF_FOREVER, .standard = 10000),
	TYPED(queue_limit, OPTION_COUNT),
	INT(queue_full, .high = WF_QUEUE_WAIT),
	INT(queue_wait_ms, .high = INT_MAX),
	TYPED(context, OPTION_POINTER, .same = OPTION_SAME_ELSEWHERE),
	INT(timeout_ms, .high = INT_MAX),
	INT(kill_grace_ms, .high = INT_MAX, .sentinel = WF_NO_GRACE, .standard = 2000),
	INT(on_timeout, .high = WF_TIMEOUT_STOP),
	TYPED(stack_on_timeout, OPTION_BOOL),
	INT(max_attempts, .high = WF_MAX_DEATHS, .standard = 3),
	TYPED(caller_driven, OPTION_BOOL),
	TYPED(log, OPTION_POINTER),
	TYPED(log_context, OPTION_POINTER),
	TYPED(helper, OPTION_TEXT),
	TYPED(policy, OPTION_POINTER, .same = OPTION_SAME_ELSEWHERE),
	TYPED(learn, OPTION_BOOL),
	INT(tuning.hand_ahead, .high = WF_MAX_HAND_AHEAD),
	INT(tuning.spin_us, .high = WF_MAX_SPIN_US),
	INT(tuning.placement, .high = WF_PLACE_SPREAD),
	INT(tuning.start_attempts, .high = INT_MAX, .standard = 5),
	INT(tuning.backoff_ms, .high = INT_MAX, .standard = 10),
	INT(tuning.backoff_max_ms, .high = INT_MAX, .standard = 1000),
	INT(tuning.zygote_reply_ms, .high = INT_MAX, .standard = 10000),
	TYPED(tuning.touch_ahead, OPTION_BOOL),
	TYPED(tuning.recycle_memory, OPTION_COUNT),
	TYPED(tuning.reserved, OPTION_RESERVED),
};
/* NOLINTEND(bugprone-sizeof-expression) */
#define N_OPTIONS (sizeof table / sizeof table[0])

const struct option *options_table(size_t *ret_n) {
	*ret_n = N_OPTIONS;
	return table;
}

static int int_of(const struct option *option, const struct wf_executor_options *o) {
	int value;

	memcpy(&value, (const char *)o + option->offset, sizeof value);
	return value;
}

static const char *text_of(const struct option *option, const struct wf_executor_options *o) {
	const char *text;

	memcpy(&text, (const char *)o + option->offset, sizeof text);
	return text;
}

static const char *sentinel_name(int sentinel) {
	return sentinel == WF_FOREVER     ? ", or WF_FOREVER"
	       : sentinel == WF_NO_GRACE  ? ", or WF_NO_GRACE"
	       : sentinel == WF_NO_SPARES ? ", or WF_NO_SPARES"
					  : "";
}

static int check_reserved(const struct option *option, const struct wf_executor_options *o) {
	uint64_t words[OPTION_RESERVED_MAX];

	memcpy(words, (const char *)o + option->offset, option->size);
	return known_reserved(words, option->size / sizeof words[0], "options.tuning");
}

static int check_ranges(const struct wf_executor_options *o) {
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *option = &table[i];
		int value = option->type == OPTION_INT ? int_of(option, o) : 0;

		if (option->type == OPTION_RESERVED && check_reserved(option, o) < 0)
			return -EINVAL;
		if ((value < 0 || value > option->high) &&
		    (!option->sentinel || value != option->sentinel))
			return report_error(-EINVAL, "options.%s is %d; it must be from 0 to %d%s",
					    option->name, value, option->high,
					    sentinel_name(option->sentinel));
	}
	return 0;
}

static void fill_standards(struct wf_executor_options *o) {
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (table[i].type == OPTION_INT && int_of(&table[i], o) == 0)
			memcpy((char *)o + table[i].offset, &table[i].standard,
			       sizeof table[i].standard);
}

static bool same_text(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_member(const struct option *option, const struct wf_executor_options *a,
			const struct wf_executor_options *b) {
	if (option->same != OPTION_SAME_VALUE)
		return true;
	if (option->type == OPTION_TEXT)
		return same_text(text_of(option, a), text_of(option, b));
	return memcmp((const char *)a + option->offset, (const char *)b + option->offset,
		      option->size) == 0;
}

/* --- rules that no row can express --------------------------------------------------------- */

static int check_together(const struct wf_executor_options *o) {
	if (o->image == WF_IMAGE_MODULE && (!o->module || !*o->module))
		return report_error(-EINVAL,
				    "options.module is missing; give the path of a shared object");
	if (o->image != WF_IMAGE_MODULE && o->module)
		return report_error(-EINVAL,
				    "options.module is set, but the image is %s; leave the "
				    "module NULL",
				    o->image == WF_IMAGE_SELF ? "WF_IMAGE_SELF"
							      : "WF_IMAGE_COMMAND");
	if (o->image == WF_IMAGE_COMMAND && o->max_tasks_per_worker > 1)
		return report_error(-EINVAL,
				    "options.max_tasks_per_worker is %d, but with "
				    "WF_IMAGE_COMMAND each program takes a worker of its own; "
				    "set 0 or 1",
				    o->max_tasks_per_worker);
	if (o->workers && o->min_workers > o->workers)
		return report_error(-EINVAL,
				    "options.min_workers is %d; it must be from 0 to "
				    "options.workers, which is %d",
				    o->min_workers, o->workers);
	if (o->learn && !o->policy)
		return report_error(-EINVAL, "options.learn is set, but options.policy is NULL; "
					     "give the policy to start from");
	if (o->preload_argument_size > LIMIT_PRELOAD_ARGUMENT)
		return report_error(-E2BIG,
				    "options.preload_argument has %zu bytes; it may have at "
				    "most %zu",
				    o->preload_argument_size, LIMIT_PRELOAD_ARGUMENT);
	if (o->preload_argument_size && !o->preload_argument)
		return report_error(-EINVAL,
				    "options.preload_argument is NULL, but its size is %zu",
				    o->preload_argument_size);
	if (o->name && strlen(o->name) >= LIMIT_NAME)
		return report_error(-E2BIG, "options.name is longer than %d bytes", LIMIT_NAME - 1);
	return 0;
}

/* One for each CPU that this process may use. */
static int default_workers(const struct options *options) {
	int n = CPU_COUNT(&options->cpus);

	return n < 1 ? 1 : n > WF_MAX_WORKERS ? WF_MAX_WORKERS : n;
}

static void fill_defaults(struct options *options) {
	struct wf_executor_options *o = &options->public;

	if (o->image == WF_IMAGE_COMMAND)
		o->max_tasks_per_worker = 1;
	if (o->workers == 0)
		o->workers = default_workers(options);
	if (o->spares == 0)
		o->spares = o->workers;
	if (o->spares == WF_NO_SPARES)
		o->spares = 0;
	if (o->min_workers > o->workers)
		o->min_workers = o->workers;
	fill_standards(o);
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
		options->module = path_absolute(NULL, o->module);
		if (!options->module && errno == ENOENT)
			return report_error(-EINVAL, "options.module is relative, and the working "
						     "directory has been deleted");
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
		options->helper = strdup(o->helper);
		if (!options->helper)
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
	r = known_take(&taken, sizeof taken, given, KNOWN_FIRST_OPTIONS, "options");
	r = r < 0 ? r : check_ranges(&taken);
	r = r < 0 ? r : check_together(&taken);
	if (r < 0)
		return r;
	options->public = taken;
	if (sched_getaffinity(0, sizeof options->cpus, &options->cpus) < 0)
		CPU_ZERO(&options->cpus);
	options->spares_given = taken.spares;
	fill_defaults(options);
	r = copy_strings(options);
	if (r >= 0)
		r = task_context_new(taken.context, &options->context);
	if (r >= 0)
		r = copy_policy(options);
	options->public.module = options->module;
	options->public.name = options->name;
	options->public.helper = options->helper;
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

	if (options->public.tuning.placement != WF_PLACE_SPREAD || n == 0)
		return 0;
	wanted = slot % n;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &options->cpus) && wanted-- == 0)
			return cpu + 1;
	return 0;
}

void options_deinit(struct options *options) {
	options->context = task_context_free(options->context);
	(void)wf_policy_free(options->policy);
	free(options->module);
	free(options->name);
	free(options->helper);
	free(options->preload_argument);
	*options = (struct options){ .module = NULL };
}

bool options_equal(const struct options *a, const struct options *b) {
	const struct wf_executor_options *x = &a->public, *y = &b->public;

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (!same_member(&table[i], x, y))
			return false;
	if (x->preload_argument_size &&
	    memcmp(x->preload_argument, y->preload_argument, x->preload_argument_size) != 0)
		return false;
	return a->spares_given == b->spares_given && task_context_equal(a->context, b->context) &&
	       document_equal(a->policy, b->policy);
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
