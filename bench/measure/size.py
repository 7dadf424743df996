"""The release binary: its size, and how long a wrong file takes to be refused with every error."""

import statistics
import subprocess
import tempfile
import time

from .common import BRAMBLE, Failed

WRONG = """apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: Wrong_Name }
spec:
  kubernetes: { version: v1.2, podRange: 10.0.0.0/33 }
  machines:
    - { name: one, roles: [control-plain], address: 10.77.0.300 }
    - { name: one, address: 10.77.0.12, colour: red }
"""
RUNS = 20


def measure(_settings):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(WRONG)
        file.flush()
        times = [refuse(file.name) for _ in range(RUNS)]
    return {"bytes": BRAMBLE.stat().st_size, "refusedMs": statistics.median(times)}


def refuse(path):
    """Milliseconds from the start of the program to its end."""
    begin = time.monotonic()
    done = subprocess.run([BRAMBLE, "up", "-f", path], capture_output=True, timeout=60)
    took = (time.monotonic() - begin) * 1000
    if done.returncode != 2:
        raise Failed(f"a wrong file ended with {done.returncode}: {done.stderr.decode()}")
    return took
