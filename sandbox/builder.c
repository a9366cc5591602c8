/* SPDX-License-Identifier: MIT
 *
 * A builder is a child of the zygote that makes parts of the sandbox and sends them back as
 * descriptors. It may allocate freely, call libseccomp and change its root, because it runs nothing
 * of the image: it exits once it has sent what it made, or idles as the init of the pid namespace.
 */
#include "sandbox/builder.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/process.h"
#include "base/uninitialized.h"
#include "proto/wire.h"
#include "sandbox/filter_compile.h"
#include "sandbox/landlock.h"
#include "sandbox/namespace.h"
#include "sandbox/view.h"

/* --- from the builder to the zygote -------------------------------------------------------- */

#define N_BUILT 3

struct built {
	int32_t error;    /* 0 if descriptors follow, one for each bit of `present` */
	uint32_t present; /* enum policy_layer, or-ed; descriptors come in this order */
	struct sandbox_trouble trouble;
};

/* The body of the frame is that struct: both ends are the same program. */
#define BUILT_FRAME 1
struct built_frame {
	uint8_t header[WIRE_HEADER];
	struct built built;
};
_Static_assert(offsetof(struct built_frame, built) == WIRE_HEADER, "the body of a frame");

static int built_send(int socket, struct built_frame *frame, const int *fds, size_t n) {
	int r = wire_send(socket, BUILT_FRAME, frame->header, sizeof frame->built, fds, n, 0);

	return r > 0 ? error_fold(r) : error_trace(r);
}

/* If our own table has no room for the descriptors, that is an error: a layer must not count as in
 * force without its descriptor. */
static int built_receive(int socket, struct built *ret, int *ret_fds) {
	/* static: of a frame on the stack, each page would be touched */
	static uint8_t buffer[LIMIT_FRAME];
	struct wire_frame frame;
	int r = wire_receive(socket, buffer, 0, &frame);

	if (r == WIRE_E_TRUNCATED)
		return error_origin(-EMFILE);
	if (r != 0)
		return r < 0 ? error_trace(r) : error_origin(-EPROTO);
	if (frame.size == sizeof *ret)
		memcpy(ret, frame.body, sizeof *ret);
	if (frame.size != sizeof *ret || frame.n_descriptors > N_BUILT ||
	    frame.n_descriptors != (size_t)__builtin_popcount(ret->present)) {
		wire_frame_close(&frame);
		return error_origin(-EPROTO);
	}
	memcpy(ret_fds, frame.descriptors, frame.n_descriptors * sizeof(int));
	return 0;
}

/* RLIMIT_DATA, which replaces a control group, does not count memory that can be shared. */
static bool has_private_memory_only(const struct sandbox *sandbox, const struct policy *policy) {
	return policy->limits[POLICY_MEMORY] != POLICY_NO_LIMIT && policy->strict &&
	       !sandbox_has(sandbox, LAYER_CGROUP);
}

static int build_ruleset(const struct sandbox *sandbox, const struct policy *policy,
			 struct places *places, struct sandbox_trouble *trouble) {
	const struct place_request request = { policy, false,
					       has_private_memory_only(sandbox, policy) };
	int r = 0;

	if (sandbox->landlock_abi == 0)
		return trouble_fail(trouble, LAYER_LANDLOCK, ENOSYS,
				    "this kernel has no Landlock, or it was not enabled at boot "
				    "(lsm= on the kernel command line)");
	if (!places)
		r = places_open(&request, &places, trouble);
	if (r < 0)
		return error_trace(r);
	return landlock_build(policy, places, sandbox->landlock_abi,
			      sandbox_has(sandbox, LAYER_NET), sandbox->scratch, trouble);
}

static int build_filter(const struct sandbox *sandbox, const struct policy *policy,
			struct sandbox_trouble *trouble) {
	const struct filter_key key =
	    filter_key_of(policy, has_private_memory_only(sandbox, policy), sandbox->command);
	const struct filter_rest rest = { policy->uid, policy->gid, policy->calls,
					  policy->n_calls };
	int r =
	    feature_hidden(FEATURE_SECCOMP) ? error_origin(-ENOSYS) : filter_compile(&key, &rest);

	if (r < 0)
		return trouble_fail(trouble, LAYER_SECCOMP, -r,
				    "the system call filter cannot be made: %s",
				    strerrordesc_np(-r));
	return r;
}

/* Also opens the places, which must be done in the namespace of the view. */
static int build_view(const struct sandbox *sandbox, const struct policy *policy,
		      struct places **places, struct sandbox_trouble *trouble) {
	const struct view_request request = {
		.own_proc = sandbox_has(sandbox, LAYER_PID),
		.scratch = sandbox->scratch,
		.root = (sandbox->change_identity ? sandbox->uid : geteuid()) == 0,
	};
	cleanup_close int namespace = -1;
	int r;

	if (feature_hidden(FEATURE_MOUNT_VIEW))
		return trouble_fail(trouble, LAYER_MOUNT, EPERM,
				    "no mount namespace can be made: %s (it takes a user "
				    "namespace or root)",
				    strerrordesc_np(EPERM));
	namespace = view_begin(trouble);
	if (namespace < 0)
		return error_trace(namespace);
	r = places_open(&(struct place_request){ policy, sandbox->scratch,
						 has_private_memory_only(sandbox, policy) },
			places, trouble);
	if (r == 0)
		r = view_build(*places, &request, trouble);
	return r < 0 ? error_trace(r) : fd_steal(&namespace);
}

/* Adds one layer that the builder made. Best effort leaves out what failed. */
static int built_add(const struct policy *policy, struct built *built, int *fds, size_t *n,
		     uint32_t bit, int fd) {
	if (fd >= 0) {
		fds[(*n)++] = fd;
		built->present |= bit;
		return 0;
	}
	/* a failure that is not a layer's is fatal under best effort too */
	return policy->strict || built->trouble.layer == 0 ? fd : 0;
}

/* What a builder is told. */
struct order {
	const struct sandbox *sandbox;
	const struct policy *policy;
	uint32_t layers;
	int socket;
};

static int build_all(const struct order *order, struct built *built, int *fds, size_t *n) {
	const struct policy *policy = order->policy;
	struct sandbox with = *order->sandbox;
	struct places *places = NULL;
	int r = 0;

	if (order->layers & LAYER_MOUNT)
		r = built_add(policy, built, fds, n, LAYER_MOUNT,
			      build_view(order->sandbox, policy, &places, &built->trouble));
	with.scratch = with.scratch && built->present & LAYER_MOUNT;
	if (r == 0 && order->layers & LAYER_LANDLOCK)
		r = built_add(policy, built, fds, n, LAYER_LANDLOCK,
			      build_ruleset(&with, policy, places, &built->trouble));
	if (r == 0 && order->layers & LAYER_SECCOMP)
		r = built_add(policy, built, fds, n, LAYER_SECCOMP,
			      build_filter(order->sandbox, policy, &built->trouble));
	return r;
}

/* The umask of the caller is for its own files: the view is for workers. */
static void build(void *context) {
	static struct built_frame frame;
	const struct order *order = context;
	struct built *built = &frame.built;
	int fds[N_BUILT], r;
	size_t n = 0;

	(void)umask(0);
	r = build_all(order, built, fds, &n);
	built->error = -r;
	if (r < 0)
		built->present = 0;
	/* a socket that ends without a frame tells as well */
	(void)built_send(order->socket, &frame, fds, r < 0 ? 0 : n);
}

bool builder_finds_filter(struct sandbox *sandbox, const struct policy *policy) {
	const struct filter_key key =
	    filter_key_of(policy, has_private_memory_only(sandbox, policy), sandbox->command);

	return policy->n_calls == 0 && !feature_hidden(FEATURE_SECCOMP) &&
	       filter_find(&key, policy->uid, policy->gid, &sandbox->filter);
}

static int start(struct builder_job *job, struct sandbox *sandbox, struct order *order,
		 struct sandbox_trouble *trouble) {
	if (job->in_init)
		return error_trace(namespace_start_init(sandbox, build, order, trouble));
	job->pid = fork();
	if (job->pid == 0) {
		build(order);
		leave(0);
	}
	return job->pid > 0 ? 0
			    : trouble_fail(trouble, 0, errno, "the builder cannot be forked: %s",
					   strerrordesc_np(errno));
}

int builder_start(struct builder_job *job, struct sandbox *sandbox, const struct policy *policy,
		  uint32_t layers, struct sandbox_trouble *trouble) {
	struct order order = { sandbox, policy, layers, -1 };
	int sockets[2], r = fd_seqpacket_pair(sockets);

	if (r < 0)
		return trouble_fail(trouble, 0, -r, "a socket for the builder: %s",
				    strerrordesc_np(-r));
	job->layers = layers;
	job->socket = sockets[0];
	order.socket = sockets[1];
	r = start(job, sandbox, &order, trouble);
	(void)fd_close(sockets[1]);
	if (r < 0)
		(void)fd_close(sockets[0]);
	return error_trace(r);
}

/* --- what comes of it ---------------------------------------------------------------------- */

static int take(struct sandbox *sandbox, uint32_t layer, int fd) {
	int r = 0;

	sandbox->layers |= layer;
	if (layer == LAYER_MOUNT) {
		sandbox->view = fd;
	} else if (layer == LAYER_LANDLOCK) {
		sandbox->ruleset = fd;
	} else {
		r = filter_map(fd, &sandbox->filter);
		(void)fd_close(fd);
	}
	return error_trace(r);
}

static int take_all(const struct builder_job *job, struct sandbox *sandbox,
		    const struct built *built, const int *fds) {
	static const uint32_t order[] = { LAYER_MOUNT, LAYER_LANDLOCK, LAYER_SECCOMP };
	size_t next = 0;
	int r = 0;

	for (size_t i = 0; i < N_BUILT && r == 0; i++) {
		if (built->present & order[i])
			r = take(sandbox, order[i], fds[next++]);
		else
			sandbox->missing |= job->layers & order[i];
	}
	return error_trace(r);
}

int builder_finish(const struct builder_job *job, struct sandbox *sandbox,
		   struct sandbox_trouble *trouble) {
	static struct built built;
	int fds[N_BUILT] = { -1, -1, -1 }, r = built_receive(job->socket, &built, fds);

	(void)fd_close(job->socket);
	if (!job->in_init)
		(void)process_reap(job->pid, NULL);
	if (r < 0)
		return trouble_fail(trouble, 0, -r, "the sandbox cannot be built: %s",
				    strerrordesc_np(-r));
	if (built.error != 0) {
		*trouble = built.trouble;
		return error_origin(-built.error);
	}
	r = take_all(job, sandbox, &built, fds);
	return r < 0 ? trouble_fail(trouble, LAYER_SECCOMP, -r, "the filter cannot be mapped: %s",
				    strerrordesc_np(-r))
		     : 0;
}
