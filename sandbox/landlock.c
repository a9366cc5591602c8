/* SPDX-License-Identifier: MIT
 *
 * Debian 12 has the Landlock header of Linux 6.1, ABI 2; later additions are defined here.
 *
 *     ABI 1 (5.13)  files        ABI 4 (6.7)   TCP ports
 *     ABI 2 (5.19)  refer        ABI 5 (6.10)  ioctl on devices
 *     ABI 3 (6.2)   truncate     ABI 6 (6.12)  scopes: signals, abstract unix sockets
 *
 * A right that the kernel does not know is not requested. What an older ABI leaves open is closed
 * by the view of the file system, the pid and network namespaces and the filter.
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "sandbox/view.h"

/* <linux/landlock.h> of 6.12 */
struct ruleset_6_12 {
	uint64_t handled_access_fs, handled_access_net, scoped;
};
struct port_6_7 {
	uint64_t allowed_access, port;
};
#define RULE_NET_PORT_6_7  2
#define NET_BIND_TCP_6_7   (1ULL << 0)
#define NET_CONNECT_TCP_67 (1ULL << 1)
#define FS_TRUNCATE_6_2    (1ULL << 14)
#define FS_IOCTL_DEV_6_10  (1ULL << 15)
#define SCOPES_6_12        3ULL

#define RIGHTS_READ    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_EXECUTE (RIGHTS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_WRITE                                                                               \
	(RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |   \
	 FS_TRUNCATE_6_2)
#define RIGHTS_DEVICE                                                                              \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_IOCTL_DEV_6_10)
/* Rights that apply to a file, not only to a directory. */
#define RIGHTS_FILE                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE_6_2 | FS_IOCTL_DEV_6_10)

int landlock_abi(void) {
	long abi;

	if (feature_hidden(FEATURE_LANDLOCK))
		return 0;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return 0;
	if (feature_hidden(FEATURE_LANDLOCK_NEW) && abi > 2)
		return 2;
	return abi > 7 ? 7 : (int)abi;
}

static uint64_t rights_of_abi(int abi) {
	uint64_t rights = (1ULL << 13) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE_6_2;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV_6_10;
	return rights;
}

static uint64_t rights_of(uint32_t access) {
	uint64_t rights = 0;

	if (access & POLICY_READ)
		rights |= RIGHTS_READ;
	if (access & POLICY_EXECUTE)
		rights |= RIGHTS_EXECUTE;
	if (access & POLICY_WRITE)
		rights |= RIGHTS_WRITE;
	if (access & POLICY_DEVICE)
		rights |= RIGHTS_DEVICE;
	return rights;
}

static int add_file(int ruleset, int fd, uint64_t rights, bool directory) {
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = directory ? rights : rights & RIGHTS_FILE,
		.parent_fd = fd,
	};

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0
		   ? error_origin(-errno)
		   : 0;
}

/* For what the view has made itself, where no task could put a link. */
static int add_directory(int ruleset, const char *path, uint64_t rights) {
	cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_origin(-errno) : error_trace(add_file(ruleset, fd, rights, true));
}

static bool is_made_by_view(const struct places *places, const struct place *place) {
	return places->viewed && (!place->path[1] || strcmp(place->path, VIEW_PROC) == 0);
}

static int add_ports(int ruleset, const uint16_t *ports, size_t n, uint64_t right) {
	for (size_t i = 0; i < n; i++) {
		const struct port_6_7 port = { right, ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT_6_7, &port, 0) < 0)
			return error_origin(-errno);
	}
	return 0;
}

static int add_places(int ruleset, const struct places *places, uint64_t known,
		      struct sandbox_trouble *trouble) {
	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->list[i];
		uint64_t rights = rights_of(place->access) & known;
		int r = is_made_by_view(places, place)
			    ? add_directory(ruleset, place->path, rights)
			    : add_file(ruleset, place->fd, rights, place->directory);

		if (r < 0 && !(place->optional && r == -ENOENT))
			return trouble_fail(trouble, 0, -r, "the policy names %s: %s", place->path,
					    strerrordesc_np(-r));
	}
	return 0;
}

/* What an older ABI does not judge, and what closes that instead. */
static int check_abi(const struct policy *policy, int abi, bool own_network,
		     struct sandbox_trouble *trouble) {
	static const struct {
		int abi;
		uint32_t instead;
		const char *what, *linux_version;
	} gaps[] = {
		{ 3, LAYER_MOUNT, "truncate(2) of files", "6.2" },
		{ 6, LAYER_PID, "signals to other processes", "6.12" },
		{ 6, LAYER_NET, "abstract Unix sockets", "6.12" },
	};

	if (!policy->strict)
		return 0;
	if (abi < 4 && !own_network && policy->n_tcp_connect + policy->n_tcp_bind > 0)
		return trouble_fail(
		    trouble, LAYER_LANDLOCK, ENOSYS,
		    "tcp_connect and tcp_bind need Landlock ABI 4 (Linux 6.7); this kernel has "
		    "ABI %d, which cannot restrict ports",
		    abi);
	for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
		bool sockets = gaps[i].instead == LAYER_NET;

		if (abi >= gaps[i].abi || policy->layers & gaps[i].instead ||
		    (sockets && !(policy->families & POLICY_FAMILY_UNIX)))
			continue;
		return trouble_fail(trouble, LAYER_LANDLOCK, ENOSYS,
				    "without the layer %s, %s need Landlock ABI %d (Linux %s); "
				    "this kernel has ABI %d",
				    policy_layer_name(gaps[i].instead), gaps[i].what, gaps[i].abi,
				    gaps[i].linux_version, abi);
	}
	return 0;
}

int landlock_build(const struct policy *policy, const struct places *places, int abi,
		   bool own_network, bool scratch, struct sandbox_trouble *trouble) {
	struct ruleset_6_12 attributes = { .handled_access_fs = rights_of_abi(abi) };
	/* as much of the struct as this kernel knows */
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	cleanup_close int ruleset = -1;
	int r;

	r = check_abi(policy, abi, own_network, trouble);
	if (r < 0)
		return error_trace(r);
	if (abi >= 4 && !own_network)
		attributes.handled_access_net = NET_BIND_TCP_6_7 | NET_CONNECT_TCP_67;
	if (abi >= 6)
		attributes.scoped = SCOPES_6_12;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
	if (ruleset < 0)
		return trouble_fail(trouble, LAYER_LANDLOCK, errno, "no Landlock ruleset: %s",
				    strerrordesc_np(errno));
	r = add_places(ruleset, places, attributes.handled_access_fs, trouble);
	if (r == 0 && scratch &&
	    add_directory(ruleset, VIEW_SCRATCH_PARENT,
			  RIGHTS_WRITE & attributes.handled_access_fs) < 0)
		r = trouble_fail(trouble, LAYER_LANDLOCK, errno, "the scratch space: %s",
				 strerrordesc_np(errno));
	if (r == 0 && attributes.handled_access_net) {
		r = add_ports(ruleset, policy->tcp_connect, policy->n_tcp_connect,
			      NET_CONNECT_TCP_67);
		if (r == 0)
			r = add_ports(ruleset, policy->tcp_bind, policy->n_tcp_bind,
				      NET_BIND_TCP_6_7);
		if (r < 0)
			r = trouble_fail(trouble, LAYER_LANDLOCK, -r, "a TCP port: %s",
					 strerrordesc_np(-r));
	}
	return r < 0 ? error_trace(r) : fd_steal(&ruleset);
}

int landlock_enter(int ruleset) {
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? error_origin(-errno) : 0;
}
