/* SPDX-License-Identifier: MIT
 *
 * The cheapest program to start: it is linked statically and does nothing.
 */
int main(void) {
	return 0;
}
