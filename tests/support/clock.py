"""Moments to tell apart."""

import time


def next_second():
    """Wait until the clock shows another second than now, and return it."""
    now = time.time()
    time.sleep(int(now) + 1 - now)
    return int(now) + 1
