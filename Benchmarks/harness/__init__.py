"""The parts of the benchmark driver; `run.py` next to this folder is its command line."""
