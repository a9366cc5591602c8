/* SPDX-License-Identifier: MIT
 *
 * warmfork-zygote: the program that the library starts as keeper and zygote. All its code is in the
 * library, so that the two are always of one build.
 */
int wf_private_helper_main(int argc, char **argv);

int main(int argc, char **argv) {
	return wf_private_helper_main(argc, argv);
}
