/* SPDX-License-Identifier: MIT
 *
 * warmfork doctor: what this machine offers to pools and sandboxes, what each missing piece costs,
 * and how to get it. Three steps that know nothing of each other: facts are probed, findings are
 * judged, and the report is written.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <warmfork/executor.h>

#include "cli/command.h"
#include "cli/doctor/judge.h"
#include "cli/doctor/probe.h"
#include "cli/doctor/report.h"
#include "cli/doctor/verdict.h"

static const char help[] =
    "warmfork doctor [OPTIONS]\n"
    "\n"
    "Tries what this machine offers to pools and sandboxes, as the user who runs it, and reports\n"
    "what is there, what each missing piece costs, and how to get it. Changes nothing.\n"
    "\n"
    "  --json                the report as JSON\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 if plain pools and strict sandboxes work, 1 if either would be refused, 2 if\n"
    "the command line makes no sense.\n";

/* --- options ------------------------------------------------------------------------------- */

enum option_id { OPTION_JSON = 256, OPTION_HELP, OPTION_VERSION };

static const struct option known[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static enum command_status complain(const char *word, const char *what) {
	(void)fprintf(stderr, "warmfork doctor: %s %s; `warmfork help doctor` tells more\n", word,
		      what);
	return COMMAND_USAGE;
}

/* False: the command is over, with *ret_status. */
static bool parse(int argc, char **argv, bool *ret_json, enum command_status *ret_status) {
	int option;

	*ret_json = false;
	*ret_status = COMMAND_OK;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1)
		switch (option) {
		case OPTION_JSON:
			*ret_json = true;
			break;
		case OPTION_HELP:
			(void)fputs(help, stdout);
			return false;
		case OPTION_VERSION:
			(void)printf("warmfork %s\n", wf_version());
			return false;
		default:
			*ret_status =
			    complain(argv[optind - 1],
				     "is no option of this command, or has a value too many");
			return false;
		}
	if (optind < argc)
		*ret_status =
		    complain(argv[optind], "is one word too many: there are only options");
	return optind == argc;
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
		(void)fprintf(stderr, "warmfork doctor: the report cannot be written: %s\n",
			      strerrordesc_np(-r));
		return COMMAND_FAILED;
	}
	return judge_status(&findings);
}
