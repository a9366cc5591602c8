/* SPDX-License-Identifier: MIT
 *
 * Adds a value to a policy.
 */
#pragma once

#include "policy/document.h"
#include "policy/value.h"

/* Adds or sets the value, without document_settle(). Returns 0 or a public error, reported. */
int add_value(struct wf_policy *policy, const struct value *value);
