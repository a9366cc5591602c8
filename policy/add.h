/* SPDX-License-Identifier: MIT
 *
 * A value into a policy.
 */
#pragma once

#include "policy/document.h"
#include "policy/value.h"

/* Adds or sets, without document_settle(). 0 or a public error, reported. */
int add_value(struct wf_policy *policy, const struct value *value);
