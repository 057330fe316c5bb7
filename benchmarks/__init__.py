"""What the harness costs: ``python -m benchmarks``.

Ratios in one process, of CPU time: the machine's speed cancels out, and waiting does not count. The
two sides take turns, so that a slow spell meets both; the median of the rounds stands.
"""
