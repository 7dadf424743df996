"""The router: `bramble up` of the whole role on a booted machine against one run of apt that installs the
same packages on another one. Each time on machines made anew."""

import contextlib

from . import common
from .common import BRAMBLE, LABS, ROUTER_FILE, Failed, run, say, shown, timed

LAB = LABS / "bench-router"
GATE = ["ssh", "-F", LAB / "ssh_config", "gate"]
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install"


def measure(settings):
    common.bundle(ROUTER_FILE)
    up = [BRAMBLE, "up", "-f", ROUTER_FILE, "--step", "router", "--step", "time"]
    seconds = {"bramble": [], "apt": []}
    packages = []
    say(f"  bramble: {shown(up)}")
    for number in range(settings.router_runs):
        # The first run of all says which packages they are.
        for name in ["bramble", "apt"] if number % 2 == 0 else ["apt", "bramble"]:
            with lab():
                before = installed()
                if name == "bramble":
                    took = clocked(up)
                    packages = sorted(installed() - before)
                else:
                    took = clocked([*GATE, f"{INSTALL} {' '.join(packages)}"])
                    missing = set(packages) - installed()
                    if missing:
                        raise Failed(f"apt did not install {', '.join(sorted(missing))}")
            seconds[name].append(took)
            say(f"  run {number + 1} {name}: {took:.1f} s")
    commands = {"bramble": shown(up), "apt": shown(["ssh", "gate", f"{INSTALL} {' '.join(packages)}"])}
    return {
        "packages": packages,
        "tools": {
            name: {"command": commands[name], "seconds": of, "median": common.median(of)}
            for name, of in seconds.items()
        },
    }


@contextlib.contextmanager
def lab():
    """The router, booted; removed at the end."""
    run([BRAMBLE, "lab", "up", "-f", ROUTER_FILE])
    try:
        yield
    finally:
        run([BRAMBLE, "lab", "down", "-f", ROUTER_FILE])


def clocked(command):
    return round(timed(command).seconds, 2)


def installed():
    """Packages of the router."""
    listed = run([*GATE, "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'"])
    return {line.split()[1] for line in listed.splitlines() if line.startswith("ii")}
