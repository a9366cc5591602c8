/* SPDX-License-Identifier: MIT
 *
 * The lists of a policy: entries are inserted in order, and texts copied. These return 0, -E2BIG
 * (too many, or too much text) or -ENOMEM; not reported.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/document.h"

int sorted_insert_path(struct wf_policy *policy, const char *path, uint32_t given, uint32_t preset);
int sorted_insert_number(struct document_numbers *numbers, uint16_t number);
/* Replaces an entry of the same name, unless the new one comes from a preset. */
int sorted_insert_variable(struct wf_policy *policy, const struct document_variable *variable);
/* NAME or NAME=value. */
int sorted_insert_environment(struct wf_policy *policy, const char *text, bool of_preset);
