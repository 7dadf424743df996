"""A daemon of the bench: `bramble serve` with a folder of its own, and how it is asked."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from .common import BRAMBLE, LABS, Failed, say, shown

# All labs of the daemon's clusters are called so.
PREFIX = "bench-dash"
PASSWORD = "correct horse battery"
READY = 30


class Daemon:
    """One that serves until it is left, with its first user, who has a token."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bramble-bench-"))
        self.data = self.folder / "data"
        self.process = None
        self.token = None

    def __enter__(self):
        try:
            self.start()
            self.first_user()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        self.end_runs()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        command = [BRAMBLE, "serve", "--output", "json", "--name", "localhost", "--data", self.data]
        command += ["--listen", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]
        with open(self.folder / "said", "ab") as said:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, "HOME": str(self.folder)},
            )
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the daemon does not serve: {(self.folder / 'said').read_text()}")
        serving = json.loads(line)
        self.port = int(serving["listen"].rsplit(":", 1)[1])
        self.broker = f"mqtts://localhost:{serving['broker'].rsplit(':', 1)[1]}"
        self.authority = serving["authority"]
        self.trust = ssl.create_default_context(cafile=self.authority)

    def stop(self):
        """Its runs go on."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=READY)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def end_runs(self):
        """Whatever is left of runs: each is a process of its own, which works in a folder of this daemon."""
        for file in self.data.glob("runs/*/process"):
            number = file.read_text().strip()
            try:
                if number and os.readlink(f"/proc/{number}/cwd") == str(file.parent):
                    os.kill(int(number), signal.SIGKILL)
            except OSError:
                pass

    def first_user(self):
        link = (self.data / "first-user").read_text().strip().rsplit("#", 1)[1]
        user = {"name": "anna", "password": PASSWORD}
        self.ask("POST", "/first", {"link": link, **user})
        cookie = self.answered("POST", "/login", user).headers["Set-Cookie"].split(";")[0]
        wish = {"label": "bench", "role": "admin"}
        self.token = self.ask("POST", "/tokens", wish, {"Cookie": cookie})["token"]

    def connection(self):
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.trust)

    def headers(self):
        let_in = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Origin": f"https://localhost:{self.port}", "Content-Type": "application/json", **let_in}

    def answered(self, method, path, body=None, more=(), connection=None):
        """The answer with its `body`; without a connection, by one of its own."""
        own = connection is None
        connection = connection or self.connection()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", text, {**self.headers(), **dict(more)})
            answer = connection.getresponse()
            answer.body = answer.read()
        finally:
            if own:
                connection.close()
        if answer.status >= 300:
            raise Failed(f"{method} {path} answered {answer.status}: {answer.body.decode()}")
        return answer

    def ask(self, method, path, body=None, more=(), connection=None):
        answer = self.answered(method, path, body, more, connection)
        return json.loads(answer.body) if answer.body else None

    def events(self, path, limit):
        """Server-sent events as they come: kind and data. It is listened to when this returns."""
        connection = self.connection()
        connection.request("GET", f"/api/v1{path}", headers=self.headers())
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failed(f"{path} answered {answer.status}: {answer.read().decode()}")
        return sent(connection, answer, path, time.monotonic() + limit)

    def until(self, what, path, fits, limit):
        """What is at a path, once it is as it should be."""
        end = time.monotonic() + limit
        while not fits(found := self.ask("GET", path)):
            if time.monotonic() > end:
                raise Failed(f"{what}: not within {limit} s; {json.dumps(found)[:2000]}")
            time.sleep(0.2)
        return found

    def over(self, run, limit=600):
        """A run that has ended."""
        ended = lambda run: run["state"] not in ("accepted", "running")
        return self.until(f"the end of {run}", f"/runs/{run}", ended, limit)

    def take_down(self, cluster, tries=3):
        """Takes a cluster away with its lab. What a cancelled run was making at that moment may get in its way."""
        for _ in range(tries):
            run = self.ask("POST", f"/clusters/{cluster}/runs", {"verb": "down", "confirm": cluster})
            done = self.over(run["name"])
            if done["state"] == "done":
                return
            time.sleep(1)
        raise Failed(f"{cluster} could not be taken down: {done}")

    def memory(self):
        """Megabytes (10^6 bytes) of the daemon: resident, and the part of it that is no file."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kilobytes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.endswith(" kB")}
        amount = lambda key: round(int(kilobytes[key]) * 1024 / 1e6, 1)
        return {"residentMB": amount("VmRSS"), "anonymousMB": amount("RssAnon"), "highestMB": amount("VmHWM")}

    def forget_highest(self):
        """The highest memory counts from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def sent(connection, answer, path, end):
    try:
        kind, data = "message", None
        # The daemon says something every few seconds, if only that it lives.
        for line in answer:
            word, _, value = line.decode().rstrip("\n").partition(": ")
            if word == "event":
                kind = value
            elif word == "data":
                data = value
            elif not word and data is not None:
                yield kind, data
                kind, data = "message", None
            elif time.monotonic() > end:
                raise Failed(f"what was expected at {path} did not come")
    finally:
        connection.close()


def clean():
    """Removes the labs of a bench's daemon, as far as there are any."""
    for folder in LABS.glob(f"{PREFIX}-*"):
        command = [BRAMBLE, "lab", "down", folder.name]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            say(f"bench: a lab is left: `{shown(command)}`: {done.stderr.strip()}")
