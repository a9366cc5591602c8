/* SPDX-License-Identifier: MIT
 *
 * A sandbox has the directories above and below the paths of its policy, and no others. Whether
 * ours is one of them is guessed from the command line, because trying it takes a worker; where
 * policy files say more than is visible here, it is tried. A wrong guess costs that worker or
 * leaves the program in /, and never anything else.
 */
#include "cli/run/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <warmfork/executor.h>

/* What all presets except `pure` have, with the programs in it. */
static const char *const system_directories[] = { "/usr",   "/bin",   "/sbin",  "/lib",
						  "/lib32", "/lib64", "/libx32" };
#define N_SYSTEM_DIRECTORIES (sizeof system_directories / sizeof system_directories[0])

static bool is_in(const char *path, const char *directory) {
	size_t size = strlen(directory);

	if (strcmp(directory, "/") == 0)
		return true;
	return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool is_in_system(const char *path) {
	for (size_t i = 0; i < N_SYSTEM_DIRECTORIES; i++)
		if (is_in(path, system_directories[i]))
			return true;
	return false;
}

static bool is_pure(const struct run_options *options) {
	return options->preset && strcmp(options->preset, "pure") == 0;
}

/* --- the policy ---------------------------------------------------------------------------- */

/* The library names keys, but the user has written options. */
static enum run_status refuse_rule(const struct run_rule *rule) {
	const char *sentence = wf_last_error();
	char key[64];
	int size = snprintf(key, sizeof key, "policy: %s: ", rule->key);

	if (strncmp(sentence, key, (size_t)size) == 0)
		sentence += size;
	run_say("--%s: %s", rule->option, sentence);
	return RUN_USAGE;
}

static enum run_status refuse_policy(void) {
	run_say("%s", wf_last_error());
	return RUN_USAGE;
}

static enum run_status compose_file(struct wf_policy *policy, const char *file) {
	struct wf_policy *other;
	int r = wf_policy_load(file, &other);

	if (r < 0)
		return refuse_policy();
	r = wf_policy_compose(policy, other);
	(void)wf_policy_free(other);
	return r < 0 ? refuse_policy() : RUN_OK;
}

/* A file brings its preset, so the others are added to the first file. */
static enum run_status make_policy(const struct run_options *options, struct wf_policy **ret) {
	bool from_file = !options->preset && options->n_policies > 0;
	enum run_status status = RUN_OK;
	int r = from_file ? wf_policy_load(options->policies[0], ret)
			  : wf_policy_new(options->preset ? options->preset : "stage", ret);

	if (r < 0)
		return refuse_policy();
	for (size_t i = from_file; i < options->n_policies && status == RUN_OK; i++)
		status = compose_file(*ret, options->policies[i]);
	for (size_t i = 0; i < options->n_rules && status == RUN_OK; i++)
		if (wf_policy_add(*ret, options->rules[i].key, options->rules[i].value) < 0)
			status = refuse_rule(&options->rules[i]);
	return status;
}

/* --- the program --------------------------------------------------------------------------- */

static enum run_status no_memory(void) {
	run_say("there is no memory for the command");
	return RUN_NOT_STARTED;
}

static bool is_installed(const char *path) {
	char *real = realpath(path, NULL);
	bool installed = real && is_in_system(path) && is_in_system(real) && !strstr(path, "/..");

	free(real);
	return installed;
}

/* With ".." the real directory is used, because a sandbox has no others that it could lead out of.
 * The last name stays, because programs look at the name that they were started by. */
static char *absolute_path(const char *working, const char *name) {
	const char *slash = strrchr(name, '/');
	char *written = NULL, *real, *path = NULL;

	if (asprintf(&written, "%s%s%.*s", name[0] == '/' ? "" : working, name[0] == '/' ? "" : "/",
		     (int)(slash - name), name) < 0)
		return NULL;
	real = strstr(name, "..") ? realpath(written, NULL) : NULL;
	if (asprintf(&path, "%s/%s", real ? real : written, slash + 1) < 0)
		path = NULL;
	free(real);
	free(written);
	return path;
}

/* A name without a slash is looked up where the preset has programs. One with a slash is used as
 * written, and may be executed: that is all that the user can have meant. */
static enum run_status allow_program(const struct run_options *options, struct run_request *ret) {
	const char *name = options->program ? options->program[0] : "";
	struct run_rule rule = { name, "execute", NULL };

	if (!strchr(name, '/'))
		return RUN_OK;
	ret->program = absolute_path(ret->working, name);
	if (!ret->program)
		return no_memory();
	if (!is_pure(options) && options->n_policies == 0 && is_installed(ret->program))
		return RUN_OK;
	if (!options->print_policy && access(ret->program, X_OK) < 0) {
		run_say("%s cannot be executed: %s", name, strerrordesc_np(errno));
		return RUN_NOT_STARTED;
	}
	rule.value = ret->program;
	if (wf_policy_add(ret->policy, rule.key, rule.value) == 0)
		return RUN_OK;
	run_say("%s cannot be allowed: %s", name, wf_last_error());
	return RUN_USAGE;
}

/* --- the directory ------------------------------------------------------------------------- */

static bool is_path(const struct run_rule *rule) {
	static const char *const keys[] = { "read", "write", "execute", "device" };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(rule->key, keys[i]) == 0)
			return true;
	return false;
}

/* Checks it both as written and resolved: the sandbox has the way to it, and the target. */
static bool leads_through(const char *path, const char *here) {
	char *real = realpath(path, NULL);
	bool leads = is_in(path, here) || (real && (is_in(real, here) || is_in(here, real)));

	free(real);
	return leads;
}

static bool is_in_view(const struct run_options *options, const struct run_request *request) {
	const char *directory = request->working;

	if (options->n_policies > 0 || options->learn || strcmp(directory, "/") == 0 ||
	    (!is_pure(options) && (is_in_system(directory) || strcmp(directory, "/tmp") == 0)))
		return true;
	if (request->program && leads_through(request->program, directory))
		return true;
	for (size_t i = 0; i < options->n_rules; i++)
		if (is_path(&options->rules[i]) &&
		    leads_through(options->rules[i].value, directory))
			return true;
	return false;
}

static enum run_status find_directory(const struct run_options *options, struct run_request *ret) {
	const char *given = options->directory;
	bool relative = given && given[0] != '/';

	if (asprintf(&ret->directory, "%s%s%s", !given || relative ? ret->working : "",
		     relative ? "/" : "", given ? given : "") < 0) {
		ret->directory = NULL;
		return no_memory();
	}
	ret->falls_back = !given && strcmp(ret->directory, "/") != 0;
	if (ret->falls_back && !is_in_view(options, ret))
		run_request_fall_back(ret);
	return RUN_OK;
}

/* "/" fits into the space of any path. */
void run_request_fall_back(struct run_request *request) {
	request->falls_back = false;
	request->missed = request->working;
	request->directory[1] = '\0';
}

/* ------------------------------------------------------------------------------------------- */

enum run_status run_request_make(const struct run_options *options, struct run_request *ret) {
	enum run_status status;

	*ret = (struct run_request){ .working = getcwd(NULL, 0) };
	/* removed, or not visible to us: then the program cannot ask for anything in it */
	if (!ret->working || ret->working[0] != '/') {
		free(ret->working);
		ret->working = strdup("/");
	}
	if (!ret->working)
		return no_memory();
	status = make_policy(options, &ret->policy);
	if (status == RUN_OK)
		status = allow_program(options, ret);
	if (status == RUN_OK && options->program)
		status = find_directory(options, ret);
	return status;
}

const char *run_request_program(const struct run_request *request,
				const struct run_options *options) {
	bool from_here = options->program[0][0] == '/' || !request->program ||
			 strcmp(request->directory, request->working) == 0;

	return from_here ? options->program[0] : request->program;
}

void run_request_clear(struct run_request *request) {
	(void)wf_policy_free(request->policy);
	free(request->directory);
	free(request->program);
	free(request->working);
	*request = (struct run_request){ .policy = NULL };
}
