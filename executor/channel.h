/* SPDX-License-Identifier: MIT
 *
 * Our end of a worker's task channel: tasks go out, results come in. A result resolves its future
 * here; anything else that a worker says becomes a fact about it.
 */
#pragma once

#include "executor/worker.h"

/* The caller owns *ret_peer, the worker's end. Returns 0 or -errno. */
int channel_open(struct worker *worker, int *ret_peer);
/* Starts to read from it. Call it when Spawned has named its process, not before. Returns 0 or
 * -errno. */
int channel_listen(struct worker *worker);

/* Does the task travel without descriptors and context, so that it may share a frame? */
bool channel_may_share(const struct wf_future *future);
/* An upper bound for its size in a frame. */
size_t channel_size_of(const struct wf_future *future);

enum channel_sent {
	CHANNEL_SENT,
	CHANNEL_FULL, /* this worker takes no more now; an event tells when it does */
	/* this process lacks descriptors or buffers; no event tells when that changes */
	CHANNEL_SHORT,
	CHANNEL_GONE, /* this worker takes no more tasks at all */
};
/* Hands `n` futures, which must be in no queue, to the worker; several must all be of the kind that
 * may share a frame. They become the worker's only if CHANNEL_SENT is returned. -errno: the first
 * of them can never be sent. */
int channel_hand_out(struct worker *worker, struct wf_future *const *futures, unsigned n);

/* Reads what the worker has sent. */
void channel_receive(struct worker *worker);
/* Reads everything that is left after the worker has ended. Returns false if we have no memory
 * for it now. */
bool channel_drain(struct worker *worker);
/* Has it not begun, for long, what it was given? A task that answers and then goes on, or that
 * leaves its channel deaf, would keep those behind it from ever running: they are taken back,
 * and the worker is ended. Called now and then. */
void channel_check(struct worker *worker, nsec_t now);
