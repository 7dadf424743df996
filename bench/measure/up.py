"""From booted machines to a cluster whose nodes are all ready and the demo page: `bramble up` against a
straight-line script of the same commands. Each time on machines made anew."""

import dataclasses
import time
import urllib.request
from pathlib import Path

from . import common
from .common import BENCH, BRAMBLE, LABS, UP_FILE, Failed, run, say, shown, timed


@dataclasses.dataclass
class Cluster:
    """One that is made by both: its file, which has the shape for the script beside it."""

    file: Path
    lab: Path
    nodes: int
    page: str


ONE = Cluster(UP_FILE, LABS / "bench-up", 3, "http://10.216.0.11:30080/")


def measure(settings):
    return both(ONE, settings.up_runs)


def both(cluster, runs):
    """Makes a cluster by either as often, in turn."""
    bundle = common.bundle(cluster.file)
    tools = {
        "bramble": [BRAMBLE, "up", "-f", cluster.file],
        "straight": [BENCH / "up/straight.sh", cluster.lab, bundle, cluster.file.parent / "shape.sh"],
    }
    for name, command in tools.items():
        say(f"  {name}: {shown(command)}")
    values = {name: [] for name in tools}
    memory = 0
    names = list(tools)
    for number in range(runs):
        for name in names if number % 2 == 0 else reversed(names):
            seconds, used = once(cluster, tools[name])
            if name == "bramble":
                memory = max(memory, used)
            values[name].append(seconds)
            say(f"  run {number + 1} {name}: {seconds:.1f} s")
    return {
        "tools": {
            name: {
                "command": shown(tools[name]),
                "seconds": of,
                "median": common.median(of),
            }
            for name, of in values.items()
        },
        "memoryMB": memory,
    }


def once(cluster, command):
    run([BRAMBLE, "lab", "up", "-f", cluster.file])
    try:
        begun = time.monotonic()
        done = timed(command)
        page(cluster.page)
        seconds = round(time.monotonic() - begun, 2)
        ready = nodes(cluster)
        if ready != cluster.nodes:
            raise Failed(f"{ready} of {cluster.nodes} nodes are ready after `{shown(command)}`")
        return seconds, done.memory
    finally:
        run([BRAMBLE, "lab", "down", "-f", cluster.file])


def page(url, limit=60):
    """Waits until the demo page is served to this computer."""
    end = time.monotonic() + limit
    error = None
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if b'id="pod"' in answer.read():
                    return
        except OSError as why:
            error = why
        time.sleep(0.1)
    raise Failed(f"{url} did not answer within {limit} s: {error}")


def nodes(cluster):
    command = ["ssh", "-F", cluster.lab / "ssh_config", "one", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "nodes", "--no-headers"]
    return sum(line.split()[1] == "Ready" for line in run(command).splitlines())
