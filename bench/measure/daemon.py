"""The daemon: from a press to the run's first step, from an event to browsers, its memory, its page."""

import gzip
import json
import re
import sqlite3
import statistics
import subprocess
import threading
import time

from . import common, service
from .common import BRAMBLE, LABS, Failed, median, run, say
from .listeners import Listeners, Watched
from .service import PREFIX, Daemon

CLIENTS = 50
CLUSTERS = 50
MACHINES = 10
# Longest time of a cluster's run.
RUN = 900
# Seconds between two readings of the same, as the page waits.
GAP = 0.15
# Addresses that nobody has: RFC 2544 keeps them for benches. A route says so at once.
NOWHERE = "198.18.0.0/15"


def measure(settings):
    out = {}
    with Daemon() as daemon:
        out["page"] = page(daemon)
        say(f"  page: {out['page']}")
        button = register(daemon)
        time.sleep(settings.idle)
        out["idle"] = {"seconds": settings.idle, **daemon.memory()}
        say(f"  idle: {out['idle']}")
        try:
            out["press"] = presses(daemon, button, settings.presses)
            out["event"] = events(daemon)
            say(f"  event: {out['event']}")
        finally:
            daemon.end_runs()
            service.clean()
    out["watched"] = watched(settings)
    say(f"  watched: {out['watched']}")
    return out


def page(daemon):
    """Bytes of the page, its styles and scripts together, in either form that a browser may get them in."""
    names, text = {"/"}, got(daemon, "/", "gzip")
    sizes = {"gzip": len(text)}
    waiting = [text]
    while waiting:
        text = gzip.decompress(waiting.pop()).decode()
        for name in set(re.findall(r"[\w-]+\.(?:js|css)\b", text)):
            path = f"/assets/{name}"
            if path in names or (body := got(daemon, path, "gzip", missing=True)) is None:
                continue
            names.add(path)
            sizes["gzip"] += len(body)
            waiting.append(body)
    if len(names) == 1:
        raise Failed("the daemon's page names no script: the program was built without its page (make build)")
    sizes["br"] = sum(len(got(daemon, name, "br")) for name in names)
    return sizes


def got(daemon, path, form, missing=False):
    """What a browser gets that understands one form of compression."""
    connection = daemon.connection()
    try:
        connection.request("GET", path, headers={"Accept-Encoding": form})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if missing and answer.status == 404:
        return None
    if answer.status != 200 or answer.headers["Content-Encoding"] != form:
        raise Failed(f"{path} answered {answer.status}: {body[:200]}")
    return body


def register(daemon):
    """Registers a button with the template `lab`; the file that it is simulated with."""
    wish = {"id": PREFIX, "profile": {"template": "lab", "teardown": True}}
    key = daemon.folder / "key"
    key.touch(0o600)
    key.write_text(daemon.ask("POST", "/buttons", wish)["key"])
    settings = daemon.folder / "button.yaml"
    settings.write_text(f"id: {PREFIX}\nkeyFile: {key}\nbroker: {daemon.broker}\nauthority: {daemon.authority}\n")
    return settings


def presses(daemon, button, tries):
    """Seconds from a press to the first event of a step that a browser gets, several times."""
    took = []
    for number in range(tries):
        name, seconds = pressed(daemon, button)
        took.append(round(seconds, 3))
        say(f"  press {number + 1}: {seconds:.3f} s")
        stopped(daemon, name)
    return {"seconds": took, "median": median(took), "longest": max(took)}


def stopped(daemon, name):
    """Stops a run soon after its begin, and takes its cluster away."""
    daemon.ask("POST", f"/runs/{name}/cancel")
    done = daemon.over(name, RUN)
    if done["state"] != "cancelled":
        raise Failed(f"{name} was to be cancelled: {done}")
    daemon.take_down(done["cluster"])


def pressed(daemon, button):
    """Presses once: the run, and after how many seconds a browser heard of its first step. The browser follows what
    changes, and then the run that it hears of."""
    changes = daemon.events("/events", 60)
    command = [BRAMBLE, "button", "simulate", "--once", "--press", "short", "--settings", button]
    begun = time.monotonic()
    simulator = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        things = (json.loads(data) for kind, data in changes if kind == "put")
        name = next(thing["name"] for thing in things if thing["kind"] == "run")
        for _, data in daemon.events(f"/runs/{name}/events", 60):
            event = json.loads(data)
            if event.get("event") == "started" and event.get("step"):
                return name, time.monotonic() - begun
        raise Failed(f"{name} ended without a step: {daemon.ask('GET', f'/runs/{name}')}")
    finally:
        changes.close()
        simulator.terminate()
        simulator.wait(timeout=service.READY)


def events(daemon):
    """Milliseconds from each event of a cluster's run, as its process writes it, to each of the browsers."""
    cluster = f"{PREFIX}-events"
    name = f"{cluster}-1"
    daemon.ask("POST", "/clusters/from-template", {"name": cluster, "template": "lab"})
    browsers = Listeners(daemon, CLIENTS)
    file = Watched(daemon.data / f"runs/{name}/events.jsonl")
    try:
        daemon.ask("POST", f"/clusters/{cluster}/runs", {"verb": "up"})
        begin = browsers.follow(f"/api/v1/runs/{name}/events", RUN)
        heard = browsers.heard(RUN + 60)
    finally:
        browsers.close()
        file.close()
    done = daemon.over(name, RUN)
    if done["state"] != "done":
        raise Failed(f"the run whose events are measured failed: {done}")
    daemon.take_down(cluster)
    took = []
    for number, (written, line) in enumerate(file.lines, 1):
        for events in heard:
            at, text = events.get(number, (None, None))
            if text != line:
                raise Failed(f"event {number} of {name} did not come to a browser as it was written: {line}, {text}")
            # Those from before they were there came at once.
            if written >= begin:
                took.append((at - written) * 1000)
    took.sort()
    return {
        "clients": CLIENTS,
        "events": len(took) // CLIENTS,
        "seconds": round(file.lines[-1][0] - begin, 1),
        "medianMs": round(statistics.median(took), 1),
        "p99Ms": round(took[len(took) * 99 // 100], 1),
        "longestMs": round(took[-1], 1),
    }


class Browser:
    """Follows what changes, and reads what its pages show again."""

    def __init__(self, daemon, cluster):
        self.daemon = daemon
        self.pages = ["/clusters", "/machines", "/lights", f"/clusters/{cluster}/runs"]
        self.over, self.changed = threading.Event(), threading.Event()
        self.readings = 0
        self.failed = None
        self.changes = daemon.events("/events", 3600)
        self.threads = [threading.Thread(target=self.kept, args=(work,)) for work in (self.follow, self.read)]
        for thread in self.threads:
            thread.daemon = True
            thread.start()

    def kept(self, work):
        try:
            work()
        except Exception as error:
            self.failed = error

    def follow(self):
        for _ in self.changes:
            self.changed.set()
            if self.over.is_set():
                return

    def read(self):
        connection = self.daemon.connection()
        while not self.over.is_set():
            if self.changed.wait(1):
                self.changed.clear()
                for page in self.pages:
                    self.daemon.ask("GET", page, connection=connection)
                self.readings += 1
                time.sleep(GAP)
        connection.close()

    def close(self):
        self.over.set()
        self.threads[1].join(60)
        if self.failed:
            raise Failed(f"the browser could not follow the daemon: {self.failed}")


def watched(settings):
    """Memory of a daemon that has many clusters: their machines, their history, their lights, somebody who looks."""
    with Daemon() as daemon:
        register(daemon)
        nowhere("add")
        try:
            clusters = known(daemon)
            browser = Browser(daemon, clusters[0])
            for _ in range(settings.history - 1):
                one_run_of_each(daemon, clusters)
            time.sleep(settings.idle)
            still = daemon.memory()
            daemon.forget_highest()
            one_run_of_each(daemon, clusters)
            busy = daemon.memory()
            browser.close()
        finally:
            daemon.end_runs()
            nowhere("del")
        events = sum(1 for file in daemon.data.glob("runs/*/events.jsonl") for _ in open(file))
        try:
            ready = standing(daemon, clusters, settings.idle)
        finally:
            daemon.end_runs()
            service.clean()
    return {
        "clusters": CLUSTERS,
        "machines": MACHINES,
        "runs": settings.history,
        "events": events,
        "readings": browser.readings,
        "still": still,
        "busyMB": busy["highestMB"],
        "ready": ready,
        "highestMB": max(busy["highestMB"], ready["highestMB"]),
    }


def standing(daemon, clusters, idle):
    """Memory once the lights watch the API of each cluster. One of ten machines is made, and each of the clusters is
    written down to be that one: the daemon has as many connections and watches as if there were as many clusters."""
    name = f"{PREFIX}-stands"
    [lab] = [t for t in daemon.ask("GET", "/templates") if t["name"] == "lab"]
    template = {**lab, "name": "ten", "controlPlanes": 1, "workers": MACHINES - 1}
    del template["version"]
    daemon.ask("POST", "/templates", template)
    daemon.ask("POST", "/clusters/from-template", {"name": name, "template": "ten"})
    daemon.ask("POST", f"/clusters/{name}/runs", {"verb": "up"})
    done = daemon.over(f"{name}-1", RUN)
    if done["state"] != "done":
        raise Failed(f"the cluster of {MACHINES} machines failed: {done}")
    daemon.stop()
    written(daemon.data / "bramble.db", name, clusters)
    daemon.start()
    browser = Browser(daemon, clusters[0])
    # Each has its access from a machine first, and is unknown until its API has been heard.
    daemon.until("all are watched", "/lights", lambda lights: not lights["unknown"], RUN)
    time.sleep(idle)
    held = connections(daemon, name)
    memory = daemon.memory()
    browser.close()
    if held < 4 * CLUSTERS:
        raise Failed(f"the daemon has {held} connections to the API of {name}, which is {CLUSTERS} clusters")
    return {**memory, "connections": held, **objects(name)}


def written(database, real, clusters):
    """Has the records of clusters say that they are the one that stands."""
    with sqlite3.connect(database) as store:
        rows = dict(store.execute("SELECT name, body FROM document WHERE kind = 'cluster'"))
        stands = json.loads(rows[real])
        for name in clusters:
            record = json.loads(rows[name])
            record.pop("claim", None)
            record |= {key: stands[key] for key in ("file", "origin", "phase", "address")}
            store.execute("UPDATE document SET body = ? WHERE kind = 'cluster' AND name = ?", (json.dumps(record), name))
    store.close()


def connections(daemon, cluster):
    """How many connections the daemon has to a cluster's API."""
    address = daemon.ask("GET", f"/clusters/{cluster}")["address"].removeprefix("https://")
    said = run(["ss", "-Htnp", "state", "established", "dst", address])
    return sum(f"pid={daemon.process.pid}," in line for line in said.splitlines())


def objects(cluster):
    """How many nodes and pods a cluster has, as its first machine says."""
    machines = LABS / cluster / "ssh_config"
    first = next(line.split()[1] for line in machines.read_text().splitlines() if line.startswith("Host "))
    words = ["ssh", "-F", machines, first, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "-A", "-o", "name"]
    return {kind: len(run([*words, kind]).split()) for kind in ("nodes", "pods")}


def nowhere(what):
    run(["ip", "route", what, "unreachable", NOWHERE])


def known(daemon):
    """Clusters of machines of the pool."""
    [lab] = [t for t in daemon.ask("GET", "/templates") if t["name"] == "lab"]
    spec = {"kubernetes": lab["spec"]["kubernetes"]}
    template = {"name": "pool", "origin": "pool", "controlPlanes": 1, "workers": MACHINES - 1, "spec": spec}
    daemon.ask("POST", "/templates", template)
    connection = daemon.connection()
    key = "SHA256:" + "A" * 43
    for number in range(CLUSTERS * MACHINES):
        address = f"198.18.{number // MACHINES}.{number % MACHINES + 11}"
        machine = {"name": f"board-{number:03}", "address": address, "user": "pi", "hostKey": key}
        daemon.ask("POST", "/machines", machine, connection=connection)
    names = [f"cluster-{number:02}" for number in range(CLUSTERS)]
    for name in names:
        daemon.ask("POST", "/clusters/from-template", {"name": name, "template": "pool"}, connection=connection)
    connection.close()
    return names


def one_run_of_each(daemon, clusters):
    """All at once. Their machines can't be reached, so that is what each tells."""
    connection = daemon.connection()
    runs = [daemon.ask("POST", f"/clusters/{name}/runs", {"verb": "up"}, connection=connection) for name in clusters]
    connection.close()
    for made in runs:
        done = daemon.over(made["name"], 300)
        if done["state"] != "failed" or "can't be reached" not in done["reason"]:
            raise Failed(f"a run without machines ended so: {done}")
