/* SPDX-License-Identifier: MIT
 *
 * What a zygote says of its image: the facts, or why it cannot be used.
 */
#pragma once

#include "base/process.h"
#include "executor/executor.h"

/* Keeps the facts. -ENOMEM. */
int image_report_ready(struct zygote *zygote, const struct message_image_ready *ready);

/* Keeps the reason; the zygote ends by itself. */
void image_report_failed(struct zygote *zygote, const struct message_image_failed *failed);

/* The zygote ended, or was never there, before its image was ready: writes the sentence into
 * executor->failed_text. `status` NULL: it was never there. */
void image_report_lost(struct zygote *zygote, const struct exit_status *status);

/* The interned name of a function that some generation has had; NULL: none. Lives as long as the
 * executor, so that a queued task names its function over a reload. */
const char *image_report_known(const struct wf_executor *executor, const char *function);
/* Reports -ENOENT, with the names that there are. */
int image_report_unknown(const struct wf_executor *executor, const char *function);
/* Index of an interned function in this generation, or -ENOENT. */
int image_report_find(const struct zygote *zygote, const char *function);

void image_report_clear(struct zygote *zygote);
