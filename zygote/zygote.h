/* SPDX-License-Identifier: MIT
 *
 * The zygote loads an image once and forks workers from it.
 */
#pragma once

struct wf_module;

_Noreturn void zygote_run_module(int argc, char **argv);
/* Called in a fork of the keeper, without an exec, for an image of kind command. */
_Noreturn void zygote_run_here(const char *nonce);
/* Called in a program that wf_init() has found to be a zygote. `nonce` is copied. */
_Noreturn void zygote_run_self(int argc, char **argv, const struct wf_module *module,
			       const char *nonce);
