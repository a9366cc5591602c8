/* SPDX-License-Identifier: MIT
 *
 * warmfork doctor: what this machine offers to pools and sandboxes, what each missing piece costs,
 * and how to get it. It works in three independent steps: facts are probed, findings are judged,
 * and the report is written.
 */
#include <stdio.h>
#include <string.h>
#include <warmfork/executor.h>

#include "cli/command.h"
#include "cli/doctor/judge.h"
#include "cli/doctor/probe.h"
#include "cli/doctor/report.h"
#include "cli/doctor/verdict.h"
#include "cli/options.h"
#include "cli/report.h"

static const char help[] =
    "warmfork doctor [OPTIONS]\n"
    "\n"
    "Tries, as the user who runs it, what this machine offers to pools and sandboxes. Reports what is\n"
    "there, what each missing piece costs, and how to get it. Nothing is changed.\n"
    "\n"
    "  --json                print the report as JSON\n"
    "  --help, --version     print this, or the version of the library\n"
    "\n"
    "Exit status: 0 if plain pools and strict sandboxes work, 1 if either would be refused, 2 if the\n"
    "command line makes no sense.\n";

/* --- options ------------------------------------------------------------------------------- */

static const struct option known[] = {
	{ "json", no_argument, NULL, OPTIONS_FIRST },
};

static bool take_option(void *options, int option, char *value) {
	bool *json = options;

	(void)option;
	(void)value;
	return *json = true;
}

static const struct options_grammar grammar = {
	.command = "doctor",
	.help = help,
	.known = known,
	.n_known = sizeof known / sizeof known[0],
	.take = take_option,
};

/* Returns false if the command is over, with *ret_status. */
static bool parse(int argc, char **argv, bool *ret_json, enum command_status *ret_status) {
	enum options_result result;
	int rest = argc;

	*ret_json = false;
	result = options_parse(&grammar, argc, argv, ret_json, &rest);
	*ret_status = result == OPTIONS_OVER ? COMMAND_OK : COMMAND_USAGE;
	if (result != OPTIONS_GOOD)
		return false;
	return rest == argc ||
	       options_complain("doctor", "%s is one word too many: there are only options",
				argv[rest]);
}

/* ------------------------------------------------------------------------------------------- */

static enum command_status judge_status(const struct findings *findings) {
	return verdict_for(findings, USER_PLAIN).kind == VERDICT_REFUSED ||
		       verdict_for(findings, USER_SANDBOX).kind == VERDICT_REFUSED
		   ? COMMAND_FAILED
		   : COMMAND_OK;
}

enum command_status doctor_command(int argc, char **argv) {
	struct findings findings;
	struct probe_facts facts;
	enum command_status status;
	bool json;
	int r;

	if (!parse(argc, argv, &json, &status))
		return status;
	probe_machine(&facts);
	judge(&facts, &findings);
	r = json ? doctor_print_json(&findings, stdout) : doctor_print(&findings, stdout);
	if (r < 0) {
		report_say("doctor", "the report cannot be written: %s", strerrordesc_np(-r));
		return COMMAND_FAILED;
	}
	return judge_status(&findings);
}
