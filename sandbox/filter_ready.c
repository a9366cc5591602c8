/* SPDX-License-Identifier: MIT
 *
 * A program of the build: prints the filters that policies have which add only paths, limits and
 * variables to a preset.
 */
#include "sandbox/filter_ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "policy/preset.h"
#include "sandbox/filter_compile.h"

#define MOST 32

static struct filter_key keys[MOST];
static size_t n_keys;

static void print_code(const struct filter_key *key) {
	const struct filter_rest rest = { FILTER_READY_UID, FILTER_READY_GID, NULL, 0 };
	static struct sock_filter code[BPF_MAXINSNS];
	int fd = filter_compile(key, &rest);
	ssize_t size = fd < 0 ? -1 : pread(fd, code, sizeof code, 0);

	if (size <= 0 || n_keys == MOST)
		exit(EXIT_FAILURE);
	printf("static const struct sock_filter code_%zu[] = {\n", n_keys);
	for (size_t i = 0; i < (size_t)size / sizeof code[0]; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n\n");
	(void)fd_close(fd);
	keys[n_keys++] = *key;
}

static void print_key(size_t i) {
	const struct filter_key *key = &keys[i];

	printf("\t{ { 0x%llx, 0x%x, 0x%x, %d, %d, %d, %d, %d, %d, %d, %d },\n"
	       "\t  code_%zu, sizeof code_%zu / sizeof code_%zu[0] },\n",
	       (unsigned long long)key->groups, key->families, key->layers, key->notify,
	       key->tells_paths, key->reads_all, key->private_memory, key->no_memfd,
	       key->sealed_memfd, key->has_device, key->may_listen, i, i, i);
}

/* Every bit of `variant` decides one of these. */
static void print_variant(const struct preset *preset, enum policy_report report,
			  unsigned variant) {
	struct policy policy = { .groups = preset->groups,
				 .families = preset->families,
				 .layers = LAYER_ALL,
				 .report = report };
	struct filter_key key = filter_key_of(&policy, variant & 1, variant & 2);

	key.sealed_memfd = true; /* since Linux 6.3 */
	print_code(&key);
}

int main(void) {
	printf("#include \"sandbox/filter_ready.h\"\n\n");
	for (int preset = POLICY_PURE; preset <= POLICY_TESTS; preset++)
		for (unsigned variant = 0; variant < 4; variant++)
			for (int report = POLICY_REPORT_CALLS; report <= POLICY_REPORT_PATHS;
			     report++)
				print_variant(preset_of((enum policy_preset)preset),
					      (enum policy_report)report, variant);
	printf("const struct filter_ready filters_ready[] = {\n");
	for (size_t i = 0; i < n_keys; i++)
		print_key(i);
	printf(
	    "};\nconst size_t filters_ready_n = sizeof filters_ready / sizeof filters_ready[0];\n");
	return 0;
}
