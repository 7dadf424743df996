"""The 27 preparation tasks on machines where everything is in place: what a run costs that changes
nothing. Floor: as many parallel `ssh HOST true`."""

import json
import re

from . import common
from .common import BENCH, LABS, PROGRAM, WORK, Failed, run, say, shown, timed

PINS = {"ansible-core": "2.19.14", "pyinfra": "3.10.0"}
VENV = WORK / "venv"
LAB = LABS / "bench"
PREP = BENCH / "prep"
# Passes until no tool finds anything to do; each may undo the other's taste once.
PASSES = 4


def measure(settings):
    versions = install()
    say(f"a lab of {settings.machines} machines ...")
    run([PROGRAM, "lab-up", settings.machines])
    try:
        tools = commands(settings)
        for name, (command, _) in tools.items():
            say(f"  {name}: {shown(command)}")
        converge(tools)
        prove(tools, settings)
        values = {name: [] for name in tools}
        names = list(tools)
        for number in range(settings.runs):
            # Each tool comes first, second, ... equally often.
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                values[name].append(once(name, *tools[name]))
                say(f"  run {number + 1} {name}: {values[name][-1].seconds:.2f} s")
    finally:
        run([PROGRAM, "lab-down"])
    return {
        "versions": versions,
        "ansibleConfig": (WORK / "ansible.cfg").read_text(),
        "tools": {
            name: {
                "command": shown(tools[name][0]),
                "seconds": [t.seconds for t in of],
                "median": common.median([t.seconds for t in of]),
                "controllerCpu": common.median([t.cpu for t in of]),
                "memoryMB": max(t.memory for t in of),
            }
            for name, of in values.items()
        },
    }


def install():
    """Ansible and pyinfra from PyPI into a folder of their own."""
    python = VENV / "bin/python"
    if not python.exists():
        say("installing ansible-core and pyinfra ...")
        run(["python3", "-m", "venv", VENV])
    pinned = [f"{name}=={version}" for name, version in PINS.items()]
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    try:
        run([*pip, *pinned])
    except Failed:
        say("  the pinned versions can't be had: taking what pip has")
        run([*pip, *PINS])
    found = json.loads(run([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]))
    versions = {p["name"]: p["version"] for p in found if p["name"] in PINS}
    versions["openssh"] = run(["ssh", "-V"]).strip().split(",")[0]
    versions["python"] = run([python, "--version"]).split()[1]
    for name, version in versions.items():
        say(f"  {name} {version}")
    return versions


def commands(settings):
    """For each tool its command and what reads the number of changes from its output."""
    config = LAB / "ssh_config"
    names = [f"m{n:02}" for n in range(1, settings.machines + 1)]
    addresses = {name: f"10.215.0.{10 + n}" for n, name in enumerate(names, 1)}
    WORK.mkdir(parents=True, exist_ok=True)
    hosts = WORK / "hosts.ini"
    hosts.write_text(
        "".join(f"{name} ansible_host={address}\n" for name, address in addresses.items())
        + "\n[all:vars]\nansible_user=root\nansible_python_interpreter=/usr/bin/python3\n"
        + f"ansible_ssh_private_key_file={LAB}/id_ed25519\n"
    )
    settings_file = WORK / "ansible.cfg"
    settings_file.write_text(
        f"[defaults]\nforks = {settings.machines}\nretry_files_enabled = false\n"
        "[connection]\npipelining = true\n"
        "[ssh_connection]\n"
        "ssh_args = -o ControlMaster=auto -o ControlPersist=60s "
        f"-o UserKnownHostsFile={LAB}/known_hosts -o StrictHostKeyChecking=yes\n"
    )
    inventory = WORK / "inventory.py"
    inventory.write_text(
        "hosts = [\n"
        + "".join(
            f"    ({address!r}, {{'own_name': {name!r}}}),\n" for name, address in addresses.items()
        )
        + "]\n"
        + "all = (hosts, {\n"
        + f"    'ssh_user': 'root',\n    'ssh_key': '{LAB}/id_ed25519',\n"
        + f"    'ssh_known_hosts_file': '{LAB}/known_hosts',\n"
        + "    'ssh_strict_host_key_checking': 'yes',\n})\ndel hosts\n"
    )

    def ssh(options):
        return ["sh", "-c", (
            f"for host in {' '.join(names)}; do "
            f'ssh -F {config} -o ControlMaster=no {options}"$host" true || echo "failed: $host" & done; wait'
        )]

    return {
        "floor": (ssh(""), floor_changes),
        # For comparison only: with the key exchange that Bramble asks for first.
        "floor25519": (ssh("-o KexAlgorithms=curve25519-sha256 "), floor_changes),
        "bramble": ([PROGRAM, "apply"], bramble_changes),
        "pyinfra": (
            [VENV / "bin/pyinfra", "-y", inventory, PREP / "deploy.py"],
            pyinfra_changes,
        ),
        "ansible": (
            [
                "env",
                f"ANSIBLE_CONFIG={settings_file}",
                VENV / "bin/ansible-playbook",
                "-i",
                hosts,
                PREP / "playbook.yml",
            ],
            ansible_changes,
        ),
    }


def floor_changes(output):
    if output.strip():
        raise Failed(f"plain ssh: {output.strip()}")
    return 0


def bramble_changes(output):
    return json.loads(output)["planned"]


def pyinfra_changes(output):
    """The row of the result table: operations, hosts, success, error, no change."""
    row = re.search(r"Grand total\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)", output)
    if row is None:
        raise Failed(f"pyinfra's result can't be read:\n{output[-2000:]}")
    number = lambda text: 0 if text == "-" else int(text)  # noqa: E731
    if number(row[3]) > 0:
        raise Failed(f"pyinfra failed:\n{output[-2000:]}")
    return number(row[2])


def ansible_changes(output):
    recap = re.findall(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", output)
    if not recap or any(int(u) + int(f) for _, _, u, f in recap):
        raise Failed(f"Ansible failed:\n{output[-2000:]}")
    return sum(int(changed) for _, changed, _, _ in recap)


def converge(tools):
    """Runs all tools until none of them finds anything to do."""
    left = {}
    for _ in range(PASSES):
        left = {name: read(timed(command).output) for name, (command, read) in tools.items()}
        say(f"  changes: {left}")
        if not any(left.values()):
            return
    raise Failed(f"the tools don't agree on what is right: {left}")


def prove(tools, settings):
    """Breaks two things on the last machine before a run of each tool: it must find just these."""
    last = f"m{settings.machines:02}"
    harm = "rm /srv/bench/app.conf; sed -i '/registry.bench/d' /etc/hosts"
    for name, (command, read) in tools.items():
        if read is floor_changes:
            continue
        run(["ssh", "-F", LAB / "ssh_config", last, harm])
        changes = read(timed(command).output)
        if changes != 2:
            raise Failed(f"{name} made {changes} changes where two were to make")
    say("  each tool finds and mends what is changed behind its back")
    # What one tool mends is not to another's taste in every byte.
    converge(tools)


def once(name, command, read):
    done = timed(command)
    changes = read(done.output)
    if changes:
        raise Failed(f"{name} made {changes} changes where nothing was to do")
    return done
