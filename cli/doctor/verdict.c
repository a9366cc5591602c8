/* SPDX-License-Identifier: MIT
 *
 * What is unknown does not count against the machine: opening the pool will tell.
 */
#include "cli/doctor/verdict.h"

#include <stdbool.h>

static bool is_lacking(const struct finding *finding) {
	return finding->state == FINDING_MISSING || finding->state == FINDING_HIDDEN;
}

static void collect(const struct findings *findings, enum finding_user user, bool needed,
		    struct verdict *verdict) {
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *finding = &findings->list[i];
		unsigned users = needed ? finding->needs : finding->helps;
		bool less = needed ? is_lacking(finding) : finding->state != FINDING_HERE;

		if ((users & user) && less && finding->state != FINDING_UNKNOWN)
			verdict->lacks[verdict->n_lacks++] = finding;
	}
}

struct verdict verdict_for(const struct findings *findings, enum finding_user user) {
	struct verdict verdict = { .kind = VERDICT_REFUSED };

	collect(findings, user, true, &verdict);
	if (verdict.n_lacks > 0)
		return verdict;
	collect(findings, user, false, &verdict);
	verdict.kind = verdict.n_lacks > 0 ? VERDICT_LESS : VERDICT_WORKS;
	return verdict;
}

const char *verdict_name(enum verdict_kind kind) {
	switch (kind) {
	case VERDICT_WORKS:
		return "works";
	case VERDICT_LESS:
		return "works with less";
	case VERDICT_REFUSED:
		return "refused";
	}
	return "refused";
}
