"""Forwarding through the router's rules against a plain route of the kernel: iperf3 between a machine behind
the router and one outside. Both in turn on the same machines, so that whatever else slows this computer
down meets both."""

import json

from . import common
from .common import BRAMBLE, PROGRAM, FORWARD_FILE, Failed, run, say, shown

NAME = "bench-forward"
INSIDE = "10.220.0.0/24"
OUTSIDE = "10.219.0.50"
# This computer, and the router, in the network outside.
GATEWAY, GATE = "10.219.0.1", "10.219.0.2"
UNIT = "bramble-router.service"
WAYS = {"out": "", "in": " -R"}
SECONDS = 2


def measure(settings):
    common.bundle(FORWARD_FILE)
    run([BRAMBLE, "lab", "up", "-f", FORWARD_FILE])
    try:
        run([BRAMBLE, "up", "-f", FORWARD_FILE, "--machine", "gate"])
        run([PROGRAM, "outsider", NAME, "outside", f"{OUTSIDE}/24", GATEWAY])
        prepare()
        iperf3 = on("one", "iperf3 --version").split()[1]
        say(f"  {client('out')}")
        values = {way: {"plain": [], "rules": []} for way in WAYS}
        for number in range(settings.rounds):
            for name in ["plain", "rules"] if number % 2 == 0 else ["rules", "plain"]:
                set_rules(name)
                # What the switch has stirred up meets both ways equally often.
                for way in list(WAYS) if number % 4 < 2 else reversed(WAYS):
                    values[way][name].append(gbits(way))
            last = ", ".join(
                f"{way} {of['plain'][-1]:.2f} plain, {of['rules'][-1]:.2f} with rules" for way, of in values.items()
            )
            say(f"  round {number + 1}: {last}")
    finally:
        run([BRAMBLE, "lab", "down", "-f", FORWARD_FILE])
    return {
        "iperf3": iperf3,
        "command": f"# behind the router, in: with -R\n{client('out')}",
        "ways": {
            way: {
                name: {"gbits": figures, "median": common.median(figures)} for name, figures in of.items()
            }
            for way, of in values.items()
        },
    }


def on(machine, program, limit=300):
    """Runs a program on a machine of the lab, also on those that this computer has no route to."""
    return run([BRAMBLE, "lab", "ssh", "-f", FORWARD_FILE, machine, "--", program], limit=limit)


def prepare():
    """iperf3 at both ends, and a way back for the plain route: nobody hides the machines' addresses there."""
    install = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install iperf3"
    for machine in ["outside", "one"]:
        on(machine, install)
    on("outside", f"ip route replace {INSIDE} via {GATE} && iperf3 --server --daemon")


def set_rules(name):
    """With the rules that `bramble up` made, or with none at all."""
    if name == "rules":
        on("gate", f"systemctl start {UNIT} && nft list table inet bramble-router")
        return
    left = on("gate", f"systemctl stop {UNIT} && nft list ruleset && sysctl -n net.ipv4.ip_forward")
    if left.split() != ["1"]:
        raise Failed(f"this is no plain route:\n{left}")


def client(way):
    # The first second is that of a connection which is still finding its speed.
    return f"iperf3 -c {OUTSIDE} -t {SECONDS} -O 1 -J{WAYS[way]}"


def gbits(way):
    answer = json.loads(on("one", client(way)))
    if "error" in answer:
        raise Failed(f"iperf3: {answer['error']}")
    return round(answer["end"]["sum_received"]["bits_per_second"] / 1e9, 3)
