/* SPDX-License-Identifier: MIT
 *
 * warmfork attack: tests whether the sandbox does what it promises, on this machine and
 * under this policy.
 *
 * The result is a table with a row for each attack and these columns: without any layer, where the
 * attack has to succeed, or its row proves nothing; under the whole policy; and under each layer
 * alone, so that a broken layer cannot hide behind another. Each column is a pool of its own, and
 * each attempt a fresh worker of it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/ground.h"
#include "cli/attack/host.h"
#include "cli/attack/image.h"
#include "cli/attack/list.h"
#include "cli/attack/options.h"
#include "cli/attack/policy.h"
#include "cli/attack/table.h"
#include "cli/command.h"
#include "cli/report.h"

static enum command_status refused(void) {
	report_say("attack", "%s", wf_last_error());
	return COMMAND_FAILED;
}

/* --- interruption -------------------------------------------------------------------------- */

/* On an interrupt the current attempt is the last, and what was made for the attacks is
 * still removed. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
	interrupted = signal;
}

static void take_interrupts(void) {
	const struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

/* --- a column ------------------------------------------------------------------------------ */

static int open_column(struct attack_ground *ground, int column) {
	struct wf_policy *policy = NULL;
	int r;

	ground->column = column;
	ground->controls = column == ATTACK_CONTROL;
	r = attack_policy(ground, column, &policy);
	if (r >= 0)
		r = attack_open(ground, policy);
	wf_policy_free(policy);
	return r;
}

/* Only a worker can tell which layers are in force. */
static void ask_layers(struct attack_ground *ground, char *ret, size_t size) {
	struct wf_task task = WF_TASK(.function = ATTACK_BE_INNOCENT);
	struct wf_future *future;
	const struct wf_outcome *outcome;

	ret[0] = '\0';
	if (wf_submit(ground->executor, &task, &future) < 0)
		return;
	outcome = wf_future_wait(future, WF_FOREVER);
	if (outcome)
		(void)snprintf(ret, size, "%s", outcome->layers);
	wf_future_free(future);
}

static bool is_asked(const struct attack_row *row, int column) {
	if (!row->attack || row->reason)
		return false;
	return column < ATTACK_ALONE || !(row->attack->flags & ATTACK_LIBRARY);
}

static bool run_column(struct attack_table *table, struct attack_ground *ground, int column) {
	char layers[sizeof table->layers];

	if (open_column(ground, column) < 0)
		return false;
	ask_layers(ground, layers, sizeof layers);
	table->in_force[column] =
	    column < ATTACK_ALONE ||
	    attack_layer_is_in_force((enum attack_layer)(column - ATTACK_ALONE), layers);
	if (column == ATTACK_POLICY)
		memcpy(table->layers, layers, sizeof layers);
	if (column == ATTACK_ALONE + (int)ATTACK_NAMESPACES)
		table->all_namespaces = attack_has_all_namespaces(layers);
	if (column == ATTACK_ALONE + (int)ATTACK_LANDLOCK)
		table->landlock = attack_landlock_abi(layers);
	for (size_t i = 1; i <= ATTACK_ROWS && table->in_force[column] && !interrupted; i++)
		if (is_asked(&table->rows[i], column))
			table->rows[i].verdicts[column] = attack_try(ground, table->rows[i].attack);
	attack_close(ground);
	return true;
}

/* --- the table ----------------------------------------------------------------------------- */

static void start_table(struct attack_table *table, const struct attack_options *options) {
	table->options = options;
	for (unsigned i = 1; i <= ATTACK_ROWS; i++) {
		struct attack_row *row = &table->rows[i];

		for (int column = 0; column < N_ATTACK_COLUMNS; column++)
			row->verdicts[column] = ATTACK_NONE;
		if (!options->only[0] && !options->only[i])
			continue;
		row->attack = attack_find(i);
		if (row->attack && row->attack->inapplicable)
			row->reason = row->attack->inapplicable();
	}
}

/* A layer that this machine lacks entirely is a column whose pool cannot be opened. */
static bool fill_table(struct attack_table *table, struct attack_ground *ground) {
	int n = table->options->quick ? ATTACK_ALONE : N_ATTACK_COLUMNS;

	for (int column = 0; column < n && !interrupted; column++)
		if (!run_column(table, ground, column) && column < ATTACK_ALONE)
			return false;
	return true;
}

static enum command_status judge(const struct attack_table *table) {
	enum command_status status = COMMAND_OK;

	for (size_t i = 1; i <= ATTACK_ROWS; i++) {
		const struct attack_row *row = &table->rows[i];

		if (!row->attack)
			continue;
		if (attack_result(row) == ATTACK_GOT_THROUGH ||
		    attack_result(row) == ATTACK_IS_UNPROVEN)
			status = COMMAND_FAILED;
		for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS; layer++)
			if (attack_is_weak(table, row, layer))
				status = COMMAND_FAILED;
	}
	return status;
}

/* A mistake in the policy is not an attack that got through. */
static bool is_usable(const struct attack_setting *setting) {
	struct wf_policy *policy = NULL;
	bool usable = attack_base_policy(setting, &policy) >= 0;

	wf_policy_free(policy);
	if (!usable)
		(void)refused();
	return usable;
}

static enum command_status attack_all(const struct attack_options *options) {
	static struct attack_table table;
	struct attack_ground ground;
	enum command_status status = COMMAND_OK;
	int r;

	if (!is_usable(&options->setting))
		return COMMAND_USAGE;
	take_interrupts();
	start_table(&table, options);
	if (attack_ground_make(&ground, &options->setting) < 0)
		status = COMMAND_FAILED;
	else if (!fill_table(&table, &ground))
		status = refused();
	attack_close(&ground);
	attack_ground_remove(&ground);
	if (interrupted) {
		report_say("attack", "interrupted by SIG%s: no table", sigabbrev_np(interrupted));
		return COMMAND_FAILED;
	}
	if (status != COMMAND_OK)
		return status;
	r = options->json ? attack_print_json(&table, stdout) : attack_print(&table, stdout);
	if (r < 0)
		report_say("attack", "the table cannot be written: %s", strerrordesc_np(-r));
	return r < 0 ? COMMAND_FAILED : judge(&table);
}

/* --- started by itself ---------------------------------------------------------------------- */

/* Uses the line of another process, and runs until it is killed. */
static int run_for_another(struct attack_ground *ground, const struct attack *attack) {
	struct wf_future *future;

	if (!attack_submit(ground, attack, STDIN_FILENO, &future))
		return ATTACK_ERROR;
	(void)close(STDIN_FILENO);
	(void)wf_future_wait(future, WF_FOREVER);
	return ATTACK_ERROR;
}

/* The exit status is an enum attack_verdict. */
static int attack_inner(struct attack_options *options) {
	const struct attack *attack = attack_find(options->inner.number);
	bool own = options->inner.root[0] == '\0';
	int verdict = ATTACK_ERROR;
	struct attack_ground ground;

	options->setting.contained = own;
	if (!attack ||
	    (own ? attack_ground_make(&ground, &options->setting)
		 : attack_ground_adopt(&ground, &options->setting, options->inner.root)) < 0)
		return ATTACK_ERROR;
	if (open_column(&ground, options->inner.column) == 0)
		verdict = own ? (int)attack_try(&ground, attack) : run_for_another(&ground, attack);
	attack_close(&ground);
	if (own)
		attack_ground_remove(&ground);
	return verdict;
}

enum command_status attack_command(int argc, char **argv) {
	struct attack_options options;
	enum command_status status;

	if (!attack_options_parse(argc, argv, &options, &status))
		return status;
	if (options.stand_in) {
		attack_be_stand_in();
		return COMMAND_OK;
	}
	if (options.is_inner)
		return (enum command_status)attack_inner(&options);
	return attack_all(&options);
}
