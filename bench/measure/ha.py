"""Three control planes with a shared address and two workers: how long they take, against the straight-line
script, and how long the API is silent when the control plane that has the address fails."""

import re
import ssl
import subprocess
import threading
import time
import urllib.request

from . import common
from .common import BRAMBLE, HA_FILE, LABS, PROGRAM, Failed, run, say
from .up import Cluster, both

THREE = Cluster(HA_FILE, LABS / "bench-ha", 5, "http://10.217.0.14:30080/")
PLANES = {"one": "10.217.0.11", "two": "10.217.0.12", "three": "10.217.0.13"}
SHARED = "10.217.0.100"
# Between two questions, and how long one may take.
PAUSE, PATIENCE = 0.1, 1.0
# That many answers in a row: it is back.
LASTING = 10


def measure(settings):
    out = both(THREE, settings.up_runs)
    out["failover"] = failover(settings.tries)
    return out


def failover(tries):
    """Lets the holder of the address fail in three ways, in turn; the seconds of each."""
    run([BRAMBLE, "lab", "up", "-f", HA_FILE])
    try:
        run([BRAMBLE, "up", "-f", HA_FILE])
        keepalived = run(on("one", "grep -E 'advert_int|down_timer_adverts|interval|fall' /etc/keepalived/keepalived.conf"))
        ways = {"frozen": [], "cut off": [], "without power": []}
        for number in range(tries):
            way = list(ways)[number % len(ways)]
            machine = holder()
            seconds = once(way, machine)
            ways[way].append(seconds)
            say(f"  try {number + 1}: {machine} {way}: {seconds:.1f} s")
        return {
            "ways": ways,
            "median": common.median([s for of in ways.values() for s in of]),
            "keepalived": [" ".join(line.split()) for line in keepalived.splitlines()],
        }
    finally:
        run([BRAMBLE, "lab", "down", "-f", HA_FILE])


def once(way, machine):
    lab = THREE.lab.name
    if way == "cut off":
        cable = cable_of(machine)
        fail, mend = ["ip", "link", "set", cable, "down"], ["ip", "link", "set", cable, "up"]
    else:
        does, undoes = ("freeze", "thaw") if way == "frozen" else ("kill", "start")
        fail, mend = ([PROGRAM, "machine", lab, machine, what] for what in (does, undoes))
    asking = Asking(f"https://{SHARED}:8443/readyz")
    try:
        asking.until(lambda answers: sum(ok for *_, ok in answers) >= LASTING)
        begun = time.monotonic()
        run(fail)
        asking.until(lambda answers: silence(answers, begun) is not None)
        return round(silence(asking.answers, begun), 2)
    finally:
        asking.end()
        run(mend)
        for address in PLANES.values():
            settled(f"https://{address}:6443/readyz")


def silence(answers, begun):
    """Seconds from the failure until it answered for good; None as long as that isn't known."""
    since = [a for a in answers if a[0] >= begun]
    bad = [end for _, end, ok in since if not ok]
    # Nothing fails before the holder is gone: a machine's end takes a moment.
    if not bad:
        return 0.0 if since and since[-1][0] - begun > 10 else None
    good = [a for a in since if a[0] >= bad[-1]]
    return good[0][1] - begun if len(good) >= LASTING * 2 else None


class Asking:
    """Asks all the time, in a thread of its own: (begin, end, whether it answered)."""

    def __init__(self, url):
        self.url, self.answers, self.over = url, [], threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        while not self.over.wait(PAUSE):
            begin = time.monotonic()
            ok = answers(self.url)
            self.answers.append((begin, time.monotonic(), ok))

    def until(self, done, limit=90):
        end = time.monotonic() + limit
        while not done(list(self.answers)):
            if time.monotonic() > end:
                raise Failed(f"{self.url} did not answer for good within {limit} s")
            time.sleep(0.05)

    def end(self):
        self.over.set()
        self.thread.join()


# It asks whether somebody is there, nothing else; the certificate is looked at by the tests.
ANYBODY = ssl._create_unverified_context()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE, context=ANYBODY) as answer:
            return answer.status == 200
    except OSError:
        return False


def settled(url, limit=240):
    end = time.monotonic() + limit
    while not answers(url):
        if time.monotonic() > end:
            raise Failed(f"{url} does not answer {limit} s after its machine was mended")
        time.sleep(0.5)


def holder():
    """The control plane that has the shared address."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        has = [m for m in PLANES if subprocess.run(on(m, f"ip -o -4 address show to {SHARED} | grep -q ."), timeout=30).returncode == 0]
        if len(has) == 1:
            return has[0]
    raise Failed(f"no single control plane has {SHARED}")


def cable_of(machine):
    """This computer's end of the machine's cable."""
    index = run(on(machine, "cat /sys/class/net/host0/iflink")).strip()
    found = re.search(rf"^{index}: (vb-[^@:]+)", run(["ip", "-o", "link"]), re.MULTILINE)
    if not found:
        raise Failed(f"no cable {index} of {machine}")
    return found[1]


def on(machine, command):
    return ["ssh", "-F", str(THREE.lab / "ssh_config"), machine, command]
