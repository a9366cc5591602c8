/* SPDX-License-Identifier: MIT
 *
 * All columns have the same policy except for its layers, so the difference between two columns
 * is what a layer does. A layer alone is not strict, because one that this machine lacks is
 * reported as such and stops nothing. Landlock and seccomp bring no_new_privs, without which only
 * root may use them.
 *
 * Refusals do not end a task here, whatever the preset says: an attacker may go on trying.
 */
#include "cli/attack/policy.h"

#include <stdio.h>
#include <string.h>

static const struct layer {
	const char *name;
	const char *layers[4]; /* values of the key "layers"; their names in an outcome */
} layers[N_ATTACK_LAYERS] = {
	[ATTACK_LANDLOCK] = { "landlock", { "landlock", "no_new_privs" } },
	[ATTACK_SECCOMP] = { "seccomp", { "seccomp", "no_new_privs" } },
	[ATTACK_NAMESPACES] = { "namespaces", { NULL } },
	[ATTACK_LIMITS] = { "limits", { "limits" } },
	[ATTACK_CGROUP] = { "cgroup", { "cgroup" } },
	[ATTACK_DESCRIPTOR_LAYER] = { "descriptors", { "descriptors" } },
	[ATTACK_PRIVILEGES] = { "privileges", { "identity", "capabilities", "no_new_privs" } },
};

static const char *const namespaces[] = { "user", "mount", "pid", "net", "ipc", "uts" };
#define N_NAMESPACES (sizeof namespaces / sizeof namespaces[0])

const char *attack_layer_name(enum attack_layer layer) {
	return layers[layer].name;
}

static int add_number(struct wf_policy *policy, const char *key, size_t number) {
	char value[32];

	(void)snprintf(value, sizeof value, "%zu", number);
	return wf_policy_add(policy, key, value);
}

static int add_limits(struct wf_policy *policy) {
	static const struct {
		const char *key;
		size_t value;
	} limits[] = {
		{ "limits.memory", ATTACK_MEMORY },
		{ "limits.processes", ATTACK_PROCESSES },
		{ "limits.descriptors", ATTACK_DESCRIPTORS_MOST },
		{ "limits.file_size", ATTACK_FILE_SIZE },
		{ "limits.scratch", ATTACK_SCRATCH },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof limits / sizeof limits[0] && r >= 0; i++)
		r = add_number(policy, limits[i].key, limits[i].value);
	return r;
}

static int add_all(const struct attack_ground *ground, struct wf_policy *policy) {
	int r = wf_policy_add(policy, "read", ground->brief.in);

	if (r >= 0)
		r = wf_policy_add(policy, "write", ground->brief.out);
	if (r >= 0)
		r = add_limits(policy);
	if (r >= 0)
		r = wf_policy_add(policy, "on_refusal", "continue");
	return r;
}

/* "none" comes first and removes what was there. */
static int keep_layers(struct wf_policy *policy, int column) {
	enum attack_layer layer = (enum attack_layer)(column - ATTACK_ALONE);
	int r = wf_policy_add(policy, "layers", "none");

	if (r >= 0)
		r = wf_policy_add(policy, "namespaces", "none");
	if (r >= 0)
		r = wf_policy_add(policy, "strict", "no");
	if (column == ATTACK_CONTROL)
		return r;
	for (size_t i = 0; i < 4 && layers[layer].layers[i] && r >= 0; i++)
		r = wf_policy_add(policy, "layers", layers[layer].layers[i]);
	for (size_t i = 0; i < N_NAMESPACES && layer == ATTACK_NAMESPACES && r >= 0; i++)
		r = wf_policy_add(policy, "namespaces", namespaces[i]);
	return r;
}

int attack_base_policy(const struct attack_setting *setting, struct wf_policy **ret) {
	struct wf_policy *file = NULL;
	int r;

	if (setting->policy) {
		r = wf_policy_load(setting->policy, setting->preset ? &file : ret);
		if (r < 0 || !setting->preset)
			return r;
	}
	r = wf_policy_new(setting->preset, ret);
	if (r >= 0 && file) {
		r = wf_policy_compose(*ret, file);
		if (r < 0)
			*ret = wf_policy_free(*ret);
	}
	wf_policy_free(file);
	return r;
}

int attack_policy(const struct attack_ground *ground, int column, struct wf_policy **ret) {
	int r = attack_base_policy(ground->setting, ret);

	if (r < 0)
		return r;
	r = add_all(ground, *ret);
	if (r >= 0 && column != ATTACK_POLICY)
		r = keep_layers(*ret, column);
	if (r < 0)
		*ret = wf_policy_free(*ret);
	return r;
}

/* In "user, mount, landlock 7; not in force: cgroup", finds what follows the entry that starts with
 * this word. NULL if there is none. */
static const char *find_entry(const char *list, const char *name) {
	size_t size = strlen(name);

	for (;;) {
		list += strspn(list, " ,");
		if (strncmp(list, name, size) == 0 && strchr(" ,;", list[size]))
			return list + size;
		list += strcspn(list, ",;");
		if (*list != ',')
			return NULL;
	}
}

bool attack_layer_is_in_force(enum attack_layer layer, const char *in_force) {
	if (layer != ATTACK_NAMESPACES)
		return find_entry(in_force, layers[layer].layers[0]);
	for (size_t i = 0; i < N_NAMESPACES; i++)
		if (find_entry(in_force, namespaces[i]))
			return true;
	return false;
}

bool attack_has_all_namespaces(const char *in_force) {
	for (size_t i = 0; i < N_NAMESPACES; i++)
		if (!find_entry(in_force, namespaces[i]))
			return false;
	return true;
}

int attack_landlock_abi(const char *in_force) {
	const char *abi = find_entry(in_force, "landlock");

	return abi && abi[0] == ' ' && abi[1] >= '0' && abi[1] <= '9' ? abi[1] - '0' : 0;
}
