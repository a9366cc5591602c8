/* SPDX-License-Identifier: MIT
 *
 * The image of `warmfork attack` is the command itself: attackers are its functions.
 */
#pragma once

#include <stdint.h>
#include <warmfork/task.h>

#include "cli/attack/attack.h"

/* For wf_init(). */
const struct wf_module *attack_image(void);

/* The input of the sibling's task. */
struct attack_sibling_brief {
	char token[ATTACK_TOKEN];
	uint32_t bits;
};
#define ATTACK_BE_SIBLING  "sibling"
#define ATTACK_BE_INNOCENT "innocent"

int attack_be_sibling(struct wf_call *call);
int attack_be_innocent(struct wf_call *call);
int attack_preload(const struct wf_preload_info *info);
