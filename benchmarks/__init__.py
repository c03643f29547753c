"""What is measured, against what, and how to repeat it: `python -m benchmarks --help`. See docs/performance.md."""
