"""What the parts share: where things are, how a program is timed, what this computer is."""

import dataclasses
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
# Where cargo builds: a folder that is not whole is meant from here.
RELEASE = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
BRAMBLE = RELEASE / "bramble"
PROGRAM = RELEASE / "bramble-bench"
WORK = ROOT / "target/bench"
LABS = Path("/var/lib/bramble-lab")
UP_FILE = BENCH / "up/cluster.yaml"
HA_FILE = BENCH / "ha/cluster.yaml"
ROUTER_FILE = BENCH / "router/role.yaml"
FORWARD_FILE = BENCH / "router/forward.yaml"
BUNDLES = Path("/var/cache/bramble/bundles")


class Failed(Exception):
    """Something that the bench needs did not work; the message says what."""


@dataclasses.dataclass
class Settings:
    machines: int
    runs: int
    up_runs: int
    router_runs: int
    rounds: int
    tries: int
    presses: int
    history: int
    # Seconds after which a daemon that does nothing is looked at.
    idle: int


@dataclasses.dataclass
class Timed:
    """A program that ran: wall time and processor time in seconds, memory in MB (10^6 bytes).

    Of a program that starts others, the memory is that of the largest of all these processes.
    """

    seconds: float
    cpu: float
    memory: float
    output: str


def say(line):
    print(line, flush=True)


def shown(command):
    """A command as one would type it, without this computer's paths."""
    return shlex.join(str(word) for word in command).replace(f"{ROOT}/", "")


def run(command, limit=3600, **options):
    """Runs a program that must work; its output."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        **options,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise Failed(f"`{shown(command)}` ended with {done.returncode}:\n{tail}")
    return done.stdout


def timed(command, limit=3600, **options):
    """Runs a program that must work, and measures it."""
    WORK.mkdir(parents=True, exist_ok=True)
    log, usage = WORK / "output.log", WORK / "usage"
    # By GNU time: a child's memory counts from its fork on, and Python's own would be the least that
    # could come out.
    whole = ["/usr/bin/time", "-q", "-f", "%M %U %S", "-o", usage, *command]
    with open(log, "wb") as out:
        begun = time.monotonic()
        done = subprocess.run(
            [str(word) for word in whole],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=limit,
            **options,
        )
        seconds = time.monotonic() - begun
    output = log.read_text(errors="replace")
    if done.returncode != 0:
        tail = "\n".join(output.splitlines()[-30:])
        raise Failed(f"`{shown(command)}` ended with {done.returncode}:\n{tail}")
    memory, user, system = usage.read_text().split()
    return Timed(
        seconds=round(seconds, 3),
        cpu=round(float(user) + float(system), 2),
        memory=round(int(memory) * 1024 / 1e6, 1),
        output=output,
    )


def median(values):
    return round(statistics.median(values), 3)


def cargo():
    """The environment with a cargo that can build the workspace."""
    path = run(["sh", "-c", '. scripts/rust.sh && printf %s "$PATH"'], cwd=ROOT)
    return {**os.environ, "PATH": path}


def build():
    say("building the page and the release (no LTO) ...")
    run(["scripts/web.sh", "build"], cwd=ROOT)
    run(
        ["cargo", "build", "--release", "--locked", "-p", "bramble", "-p", "bramble-bench"],
        cwd=ROOT,
        env=cargo(),
    )


def bundle(file):
    """The folder of the bundle that a cluster file needs, made if there is none."""
    version = re.search(r"version: (v[\d.]+)", file.read_text())[1]
    folder = BUNDLES / f"debian-{version}"
    if not folder.exists():
        run([BRAMBLE, "bundle", "build", "--from", "debian"])
    return folder


def clean():
    """Removes the labs of the bench, as far as there are any."""
    for program, command in [
        (PROGRAM, [PROGRAM, "lab-down"]),
        *((BRAMBLE, [BRAMBLE, "lab", "down", "-f", file]) for file in [UP_FILE, HA_FILE, ROUTER_FILE, FORWARD_FILE]),
    ]:
        if not program.exists():
            continue
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=300
        )
        if done.returncode != 0:
            say(f"bench: a lab is left: `{shown(command)}`: {done.stderr.strip()}")


def about(settings):
    """When, where and with what."""

    def first(path, key):
        for line in Path(path).read_text().splitlines():
            if line.startswith(key):
                return line.split(":", 1)[-1].split("=", 1)[-1].strip().strip('"')
        return "unknown"

    commit = run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).strip()
    changed = run(["git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"]).strip()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "commit": commit + (" with changes" if changed else ""),
        "system": first("/etc/os-release", "PRETTY_NAME"),
        "kernel": platform.release(),
        "processor": first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memoryGB": round(int(first("/proc/meminfo", "MemTotal").split()[0]) * 1024 / 1e9),
        # More than a few tenths: something else was running.
        "loadAtStart": round(os.getloadavg()[0], 2),
        "machines": settings.machines,
        "runs": settings.runs,
        "upRuns": settings.up_runs,
        "routerRuns": settings.router_runs,
        "rounds": settings.rounds,
        "tries": settings.tries,
        "presses": settings.presses,
    }


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with open(new, "w") as out:
        json.dump(value, out, indent=2)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    new.rename(path)
