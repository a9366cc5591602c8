/* SPDX-License-Identifier: MIT
 *
 * The least that one can start: linked statically, does nothing.
 */
int main(void) {
	return 0;
}
