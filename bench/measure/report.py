"""What came out: figures with their limits, a table for docs/benchmarks.md, a file."""

from . import common
from .common import BENCH, say

LATEST = BENCH / "results/latest.json"
TITLES = {
    "floor": "parallel `ssh HOST true`",
    "floor25519": "the same with curve25519",
    "bramble": "Bramble",
    "pyinfra": "pyinfra",
    "ansible": "Ansible",
    "straight": "straight-line script",
    "apt": "one run of apt",
    "plain": "plain route",
    "rules": "the router's rules",
}


def figures(results):
    """Each figure: what, its value, its limit, whether it holds."""
    out = []

    def at_most(what, value, limit, unit=""):
        out.append((what, f"{value:.2f}{unit}", f"at most {limit}{unit}", value <= limit))

    def at_least(what, value, limit, unit=""):
        out.append((what, f"{value:.2f}{unit}", f"at least {limit}{unit}", value >= limit))

    memory = [results["up"]["memoryMB"]] if "up" in results else []
    if "prep" in results:
        tools = results["prep"]["tools"]
        bramble = tools["bramble"]["median"]
        memory.append(tools["bramble"]["memoryMB"])
        at_most("nothing to change: Bramble / plain ssh", bramble / tools["floor"]["median"], 1)
        at_least("nothing to change: pyinfra / Bramble", tools["pyinfra"]["median"] / bramble, 4)
        at_least("nothing to change: Ansible / Bramble", tools["ansible"]["median"] / bramble, 50)
    if "up" in results:
        tools = results["up"]["tools"]
        ratio = tools["bramble"]["median"] / tools["straight"]["median"]
        at_most("three nodes: `bramble up` / straight-line script", ratio, 1.3)
    if "ha" in results:
        memory.append(results["ha"]["memoryMB"])
        tools = results["ha"]["tools"]
        ratio = tools["bramble"]["median"] / tools["straight"]["median"]
        at_most("three control planes, two workers: `bramble up` / straight-line script", ratio, 1.3)
        at_most("the API's silence when its holder fails, median", results["ha"]["failover"]["median"], 5, " s")
        longest = max(s for of in results["ha"]["failover"]["ways"].values() for s in of)
        at_most("the same, longest", longest, 10, " s")
    if "router" in results:
        tools = results["router"]["tools"]
        ratio = tools["bramble"]["median"] / tools["apt"]["median"]
        at_most("router: `bramble up` / one run of apt with its packages", ratio, 1.3)
    for way, of in results.get("forward", {}).get("ways", {}).items():
        ratio = of["rules"]["median"] / of["plain"]["median"]
        at_least(f"forwarding {way}: the router's rules / plain route", 100 * ratio, 95, " %")
    if memory:
        at_most("memory of the controller", max(memory), 100, " MB")
    if "lights" in results:
        lights = results["lights"]
        at_least("events a second into the lights", lights["rate"], 900)
        at_most("red is shown after its message, longest", lights["redMs"]["longest"], 1000, " ms")
    if "daemon" in results:
        daemon = results["daemon"]
        event, watched = daemon["event"], daemon["watched"]
        at_most("press to first step of the run, longest", daemon["press"]["longest"], 1, " s")
        at_most(f"event to browser, median of {event['clients']}", event["medianMs"], 100, " ms")
        at_most("idle daemon", daemon["idle"]["residentMB"], 40, " MB")
        many = f"daemon with {watched['clusters']} clusters of {watched['machines']} machines watched"
        at_most(many, watched["highestMB"], 120, " MB")
        at_most("page, styles and scripts with gzip", daemon["page"]["gzip"] / 1e3, 60, " KB")
    if "size" in results:
        at_most("release binary", results["size"]["bytes"] / 1e6, 30, " MB")
        at_most("a wrong file is refused with every error", results["size"]["refusedMs"], 50, " ms")
    return out


def save(results):
    rows = figures(results)
    results["figures"] = [
        {"what": what, "value": value, "limit": limit, "holds": holds}
        for what, value, limit, holds in rows
    ]
    common.write_json(LATEST, results)


def show(results):
    """Prints all for people, as the Markdown of docs/benchmarks.md; whether all figures hold."""
    about = results["about"]
    say("")
    say(
        f"{about['date']}, commit {about['commit']}; {about['system']}, kernel {about['kernel']}, "
        f"{about['processor']}, {about['cores']} cores, {about['memoryGB']} GB; load at start {about['loadAtStart']}"
    )
    if "prep" in results:
        prep = results["prep"]
        versions = ", ".join(f"{name} {version}" for name, version in prep["versions"].items())
        say(f"\n27 tasks, {about['machines']} machines, nothing to change ({versions})\n")
        say("| tool | seconds | median | controller's CPU s | memory MB |\n|---|---|---|---|---|")
        for name, tool in prep["tools"].items():
            values = " / ".join(f"{s:.2f}" for s in tool["seconds"])
            say(f"| {TITLES[name]} | {values} | {tool['median']:.2f} | {tool['controllerCpu']:.2f} | {tool['memoryMB']:.0f} |")
        commands(prep["tools"])
        say(f"\n```ini\n# ansible.cfg\n{prep['ansibleConfig']}```")
    if "up" in results:
        say("\nFrom booted machines to three ready nodes and the demo page\n")
        seconds(results["up"]["tools"])
    if "ha" in results:
        say("\nFrom booted machines to three control planes, two workers and the demo page\n")
        seconds(results["ha"]["tools"])
        silence(results["ha"]["failover"], about["tries"])
    if "router" in results:
        say(f"\nThe router on a booted machine, {len(results['router']['packages'])} packages\n")
        seconds(results["router"]["tools"])
    if "forward" in results:
        forward = results["forward"]
        say(f"\nGbit/s through the router, {about['rounds']} rounds (iperf3 {forward['iperf3']})\n")
        say("| | through | lowest | median | highest |\n|---|---|---|---|---|")
        for way, of in forward["ways"].items():
            for name, tool in of.items():
                low, high = min(tool["gbits"]), max(tool["gbits"])
                say(f"| {way} | {TITLES[name]} | {low:.2f} | {tool['median']:.2f} | {high:.2f} |")
        say(f"\n```sh\n{forward['command']}\n```")
    if "daemon" in results:
        service(results["daemon"])
    say("\n| figure | value | limit | |\n|---|---|---|---|")
    rows = figures(results)
    for what, value, limit, holds in rows:
        say(f"| {what} | {value} | {limit} | {'holds' if holds else 'MISSED'} |")
    say(f"\nwritten to {LATEST.relative_to(common.ROOT)}")
    return all(holds for *_, holds in rows)


def seconds(tools):
    say("| by | seconds | median |\n|---|---|---|")
    for name, tool in tools.items():
        values = " / ".join(f"{s:.1f}" for s in tool["seconds"])
        say(f"| {TITLES[name]} | {values} | {tool['median']:.1f} |")
    commands(tools)


def silence(failover, tries):
    """How often the API was silent for how long, and keepalived's own timers beside it."""
    say(f"\nThe API's silence when the holder of its address fails, {tries} tries\n")
    say("| seconds | " + " | ".join(failover["ways"]) + " |\n|---|" + "---|" * len(failover["ways"]))
    every = [s for of in failover["ways"].values() for s in of]
    for low in [step / 2 for step in range(int(min(every) * 2), int(max(every) * 2) + 1)]:
        counts = (sum(low <= s < low + 0.5 for s in of) for of in failover["ways"].values())
        say(f"| {low:.1f} to {low + 0.5:.1f} | " + " | ".join("#" * count for count in counts) + " |")
    say(f"\nkeepalived: {', '.join(failover['keepalived'])}")


def service(daemon):
    """What the daemon's figures are made of."""
    press, event = daemon["press"], daemon["event"]
    values = " / ".join(f"{s:.2f}" for s in press["seconds"])
    say("\nThe daemon\n")
    say(f"From a press to the run's first step in a browser: {values} s, median {press['median']:.2f} s")
    say(
        f"\nFrom an event to {event['clients']} browsers, {event['events']} events in {event['seconds']:.0f} s: "
        f"median {event['medianMs']} ms, 99 of 100 within {event['p99Ms']} ms, longest {event['longestMs']} ms"
    )
    idle, watched = daemon["idle"], daemon["watched"]
    say("\n| the daemon's memory, MB | resident | of it anonymous |\n|---|---|---|")
    say(f"| idle for {idle['seconds']} s | {idle['residentMB']} | {idle['anonymousMB']} |")
    many = f"{watched['clusters']} clusters of {watched['machines']} machines, {watched['runs']} runs of each"
    say(f"| {many} | {watched['still']['residentMB']} | {watched['still']['anonymousMB']} |")
    say(f"| the same, a run of each at once, highest | {watched['busyMB']} | |")
    ready = watched["ready"]
    say(f"| all of them ready, {ready['connections']} connections to their APIs | {ready['residentMB']} | {ready['anonymousMB']} |")
    say(f"| the same, highest since its start | {ready['highestMB']} | |")
    say(f"\nThe cluster that the lights watch so often has {ready['nodes']} nodes and {ready['pods']} pods.")
    page = daemon["page"]
    say(f"\nPage, styles and scripts: {page['gzip']} bytes with gzip, {page['br']} with brotli")


def commands(tools):
    say("\n```sh")
    for name, tool in tools.items():
        say(f"# {TITLES[name]}\n{tool['command']}")
    say("```")
