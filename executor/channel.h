/* SPDX-License-Identifier: MIT
 *
 * The task channel of one worker, from our end: tasks out, results in. A result resolves its future
 * here; everything else that a worker says becomes a fact about it.
 */
#pragma once

#include "executor/worker.h"

/* *ret_peer is the worker's end, owned by the caller. 0 or -errno. */
int channel_open(struct worker *worker, int *ret_peer);
/* Reads from it from now on: when Spawned has told its process, not before. 0 or -errno. */
int channel_listen(struct worker *worker);

/* Nothing goes with it but its bytes: it may share a frame with others. */
bool channel_may_share(const struct wf_future *future);
/* What it takes of a frame, at most. */
size_t channel_size_of(const struct wf_future *future);

enum channel_sent {
	CHANNEL_SENT,
	CHANNEL_FULL,  /* this worker takes no more now; an event will tell when it does */
	CHANNEL_SHORT, /* this process lacks descriptors or buffers; no event will tell */
	CHANNEL_GONE,  /* this worker takes no more for good */
};
/* Gives the worker `n` futures, which are in no queue; several must all be of the kind that may
 * share a frame. They are the worker's only if CHANNEL_SENT is returned. -errno: the first of them
 * can never be sent. */
int channel_hand_out(struct worker *worker, struct wf_future *const *futures, unsigned n);

/* Reads what the worker has sent. */
void channel_receive(struct worker *worker);
/* The same, all of it: the worker has ended. */
void channel_drain(struct worker *worker);
