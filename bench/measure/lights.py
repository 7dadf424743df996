"""The lights under 1,000 events a second over HTTP: how long after its message red is shown."""

import http.client
import json
import subprocess
import threading
import time

from .common import BRAMBLE, Failed, median

RATE = 1000
SENDERS = 10
ROUNDS = 20
KUBEWATCH = "/api/v1/hooks/kubewatch"
ALERTMANAGER = "/api/v1/hooks/alertmanager"
HEADERS = {"Content-Type": "application/json"}


class Sender:
    """A connection that is kept."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=10)

    def send(self, path, body):
        self.connection.request("POST", path, json.dumps(body), HEADERS)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise Failed(f"{path} answered {answer.status}")


def created(name):
    meta = {"kind": "Pod", "name": name, "namespace": "default", "reason": "Created"}
    return {"eventmeta": meta, "text": name}


def alert(status):
    labels = {"alertname": "Down", "severity": "critical"}
    return {"groupKey": "g", "alerts": [{"status": status, "fingerprint": "1", "labels": labels}]}


def flood(address, number, over, sent):
    """One of the senders: its share of the rate, each event about another pod."""
    sender = Sender(address)
    begin = time.monotonic()
    while not over.is_set():
        due = begin + sent[number] * SENDERS / RATE
        time.sleep(max(0, due - time.monotonic()))
        sender.send(KUBEWATCH, created(f"web-{number}-{sent[number]}"))
        sent[number] += 1


def until(lines, light):
    """When the lights say that they are so."""
    for line in lines:
        if json.loads(line)["light"] == light:
            return time.monotonic()
    raise Failed("the lights have ended")


def measure(_settings):
    command = [BRAMBLE, "lights", "watch", "--listen", "127.0.0.1:0", "--output", "json"]
    lights = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    over = threading.Event()
    sent = [0] * SENDERS
    threads = []
    try:
        address = lights.stderr.readline().split("http://")[1].split("/")[0]
        threads = [threading.Thread(target=flood, args=(address, n, over, sent)) for n in range(SENDERS)]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        time.sleep(1)
        sender = Sender(address)
        took = []
        for _ in range(ROUNDS):
            asked = time.monotonic()
            sender.send(ALERTMANAGER, alert("firing"))
            took.append((until(lights.stdout, "red") - asked) * 1000)
            sender.send(ALERTMANAGER, alert("resolved"))
            until(lights.stdout, "green")
        rate = sum(sent) / (time.monotonic() - begin)
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=20)
        lights.terminate()
        lights.wait(timeout=20)
    return {"rate": round(rate), "redMs": {"median": median(took), "longest": round(max(took), 1)}}
