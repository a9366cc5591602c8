/* SPDX-License-Identifier: MIT
 *
 * The rows of all files, by number, and as functions of the image that the command is. They are
 * collected at run time, in a zygote as well: the table of an image is an array, and no file
 * knows all rows.
 */
#include "cli/attack/list.h"

#include "cli/attack/image.h"
#include "cli/attack/options.h"

static const struct attack_rows *const files[] = {
	&attack_files,   &attack_descriptors, &attack_channel, &attack_processes,  &attack_limits,
	&attack_memory,  &attack_network,     &attack_kernel,  &attack_privileges, &attack_endings,
	&attack_secrets, &attack_links,       &attack_reports,
};
#define N_FILES (sizeof files / sizeof files[0])

const struct attack *attack_find(unsigned number) {
	for (size_t i = 0; i < N_FILES; i++)
		for (size_t j = 0; j < files[i]->n; j++)
			if (files[i]->rows[j].number == number)
				return &files[i]->rows[j];
	return NULL;
}

const struct wf_module *attack_image(void) {
	static struct wf_function_entry functions[ATTACK_ROWS + 3] = {
		{ ATTACK_BE_SIBLING, attack_be_sibling },
		{ ATTACK_BE_INNOCENT, attack_be_innocent },
	};
	static const struct wf_module image = {
		.size = sizeof image,
		.preload = attack_preload,
		.functions = functions,
	};
	size_t n = 2;

	for (size_t i = 0; i < N_FILES; i++)
		for (size_t j = 0; j < files[i]->n && n < ATTACK_ROWS + 2; j++)
			functions[n++] = (struct wf_function_entry){ files[i]->rows[j].name,
								     files[i]->rows[j].function };
	return &image;
}
