/* SPDX-License-Identifier: MIT
 *
 * Prints the findings and the verdicts, for people and for programs.
 */
#pragma once

#include <stdio.h>

#include "cli/doctor/finding.h"

/* Returns 0, -ENOMEM, or -EIO if writing to `to` failed. */
int doctor_print(const struct findings *findings, FILE *to);
int doctor_print_json(const struct findings *findings, FILE *to);
