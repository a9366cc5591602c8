/* SPDX-License-Identifier: MIT
 *
 * The lists of a policy: entries come in sorted. 0, -E2BIG (that many, or that much text), -ENOMEM;
 * not reported. Texts are copied.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/document.h"

int sorted_insert_path(struct wf_policy *policy, const char *path, uint32_t given, uint32_t preset);
int sorted_insert_number(struct document_numbers *numbers, uint16_t number);
/* Takes the place of an entry of the same name, unless it is of a preset. */
int sorted_insert_variable(struct wf_policy *policy, const struct document_variable *variable);
/* NAME or NAME=value. */
int sorted_insert_environment(struct wf_policy *policy, const char *text, bool of_preset);
