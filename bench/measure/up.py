"""From booted machines to three ready nodes and the demo page: `bramble up` against a straight-line
script of the same commands. Each time on machines made anew."""

import time
import urllib.request

from . import common
from .common import BENCH, BRAMBLE, LABS, UP_FILE, Failed, run, say, shown, timed

LAB = LABS / "bench-up"
PAGE = "http://10.216.0.11:30080/"


def measure(settings):
    bundle = common.bundle(UP_FILE)
    tools = {
        "bramble": [BRAMBLE, "up", "-f", UP_FILE],
        "straight": [BENCH / "up/straight.sh", LAB, bundle],
    }
    for name, command in tools.items():
        say(f"  {name}: {shown(command)}")
    values = {name: [] for name in tools}
    memory = 0
    names = list(tools)
    for number in range(settings.up_runs):
        for name in names if number % 2 == 0 else reversed(names):
            seconds, used = once(tools[name])
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


def once(command):
    run([BRAMBLE, "lab", "up", "-f", UP_FILE])
    try:
        begun = time.monotonic()
        done = timed(command)
        page()
        seconds = round(time.monotonic() - begun, 2)
        ready = nodes()
        if ready != 3:
            raise Failed(f"{ready} of 3 nodes are ready after `{shown(command)}`")
        return seconds, done.memory
    finally:
        run([BRAMBLE, "lab", "down", "-f", UP_FILE])


def page(limit=60):
    """Waits until the demo page is served to this computer."""
    end = time.monotonic() + limit
    error = None
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(PAGE, timeout=5) as answer:
                if b'id="pod"' in answer.read():
                    return
        except OSError as why:
            error = why
        time.sleep(0.1)
    raise Failed(f"{PAGE} did not answer within {limit} s: {error}")


def nodes():
    command = ["ssh", "-F", LAB / "ssh_config", "one", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "nodes", "--no-headers"]
    return sum(line.split()[1] == "Ready" for line in run(command).splitlines())
