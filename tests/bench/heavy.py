# SPDX-License-Identifier: MIT
"""What is slow to import: 64 MiB of data and 250 ms of CPU time, as in image.c."""

import time

_start = time.process_time_ns()
data = b"\x5a" * (64 << 20)
while time.process_time_ns() - _start < 250_000_000:
    pass
