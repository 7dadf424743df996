//! Machines leave a cluster of several control planes, and come back; others come. The site has at least
//! the control planes `one`, `two` and `three` and the workers `four` and `five`, an address that the
//! control planes share, the demo, and a drain limit of a minute at most.

use super::client::Owners;
use bramble_tests::kubectl::{Kubectl, name};
use bramble_tests::site::changes;
use bramble_tests::{Site, until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the cluster may take to notice what became of a machine.
const NOTICE: Duration = Duration::from_secs(120);

/// The machine that all API requests go to first leaves as any other does, and joins as one of three.
pub fn first_control_plane_leaves_and_comes_back(site: &Site, kubectl: &Kubectl) {
    let down = ["down", "--machine", "one", "--yes"];
    site.bramble(&down).expect(0);
    assert_eq!(members(site, "two"), ["three", "two"]);
    assert!(!nodes(kubectl).contains(&"one".to_owned()));
    site.demo_answers_without("one");
    site.bramble(&down).expect(0).says("nothing to do");
    site.up();
    site.nothing_to_do();
    assert_eq!(members(site, "two"), ["one", "three", "two"]);
    until("every node is ready", NOTICE, || {
        kubectl.ready().len() == nodes(kubectl).len()
    });
    // The second time by one command, in the middle of which it is gone.
    site.bramble(&["machine", "replace", "one", "--yes"])
        .expect(0);
    site.nothing_to_do();
    assert_eq!(members(site, "two"), ["one", "three", "two"]);
}

/// A machine whose pods may not leave stays as it is, serves, and is told why.
pub fn budget_stops_a_removal(site: &Site, kubectl: &Kubectl) {
    let budget = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: { name: stays }\nspec:\n  maxUnavailable: 0\n  selector: { matchLabels: { app.kubernetes.io/name: demo } }\n";
    let budget = site.write_beside("budget.yaml", budget);
    kubectl.run(&["apply", "-f", &budget.display().to_string()]);
    let busy = kubectl.demo();
    let busy = busy
        .iter()
        .find(|p| ["four", "five"].contains(&p.node.as_str()));
    let pod = busy.expect("a worker with a pod of the demo");
    let before = text(site);
    let journal = site.on(&pod.node, "sha256sum /var/lib/bramble/journal");
    let done = site.bramble(&["machine", "remove", &pod.node, "--yes"]);
    done.expect(1)
        .says(&format!("default/{}", pod.name))
        .says("The disruption budget stays");
    assert_eq!(text(site), before, "the file is as it was");
    assert_eq!(
        site.on(&pod.node, "sha256sum /var/lib/bramble/journal"),
        journal,
        "the machine is as it was"
    );
    let node = kubectl.run(&[
        "get",
        "node",
        &pod.node,
        "-o",
        "jsonpath={.spec.unschedulable}",
    ]);
    assert_eq!(node, "", "it takes pods again");
    kubectl.run(&["delete", "pdb", "stays"]);
    site.nothing_to_do();
}

/// A control plane that lost its power is forgotten when somebody says so, and comes back as a new one.
pub fn dead_machine_is_removed(site: &Site, kubectl: &Kubectl, shared: &str) {
    let before = text(site);
    let lab = site.lab();
    lab.kill("three").expect("the power is cut");
    site.bramble(&["machine", "remove", "three"])
        .expect(4)
        .says("bramble machine remove three --lost");
    until("three is called dead", NOTICE, || {
        !kubectl.ready().contains(&"three".to_owned())
    });
    let unasked = site.bramble(&["machine", "remove", "three", "--lost"]);
    unasked
        .expect(2)
        .says("this must be confirmed")
        .says("three");
    assert_eq!(text(site), before);
    let done = site.bramble(&["machine", "remove", "three", "--lost", "--yes"]);
    done.expect(0).says("switched on again");
    assert_eq!(members(site, "one"), ["one", "two"]);
    assert!(!nodes(kubectl).contains(&"three".to_owned()));
    let entry = "    - name: three\n      roles: [control-plane]\n      address: 10.78.";
    let (head, rest) = before.split_once(entry).expect("the entry of three");
    let (_, tail) = rest.split_once('\n').expect("its last line");
    assert_eq!(text(site), format!("{head}{tail}"));
    site.nothing_to_do();

    // Somebody finds the switch. The address that the others share is theirs.
    let owners = Owners::new(site, shared);
    let switched_on = Instant::now();
    lab.start("three", NOTICE, |_| {}).expect("it starts");
    until("three is a node again", NOTICE, || {
        nodes(kubectl).contains(&"three".to_owned())
    });
    assert_eq!(members(site, "one"), ["one", "two"]);
    site.bramble(&["up"]).expect(2).says("the node three");
    let seen = owners.since(switched_on);
    assert_eq!(seen.len(), 1, "one machine has the address: {seen:?}");
    drop(owners);
    site.bramble(&["up", "--yes"]).expect(0);
    assert!(!nodes(kubectl).contains(&"three".to_owned()));
    site.on(
        "three",
        "[ ! -e /var/lib/bramble ] && [ ! -e /etc/kubernetes ]",
    );
    site.nothing_to_do();
    // One with another name in its place; the cluster's own configuration still knows the old one's.
    let address = site.address("three");
    let add = [
        "machine",
        "add",
        "other",
        "--address",
        &address,
        "--role",
        "control-plane",
    ];
    site.bramble(&add).expect(0);
    site.nothing_to_do();
    assert_eq!(members(site, "one"), ["one", "other", "two"]);
    // A slip in an address changes nothing.
    let (text, nobody) = (self::text(site), address.replace(".13", ".213"));
    site.bramble(&["machine", "add", "nobody", "--address", &nobody])
        .expect(4)
        .says("nothing was changed");
    assert_eq!(self::text(site), text);
}

/// A machine's disk as it was when nothing had been done to it.
pub struct Blank {
    machine: &'static str,
    copy: TempDir,
}

impl Blank {
    /// Copies the disk of a machine that is not part of a cluster yet.
    pub fn of(site: &Site, machine: &'static str) -> Self {
        let copy = tempfile::tempdir_in(site.folder()).expect("a folder");
        let to = copy.path().display().to_string();
        shell(&disk(site, machine), &format!("cp -a upper/. {to}/"));
        Self { machine, copy }
    }

    /// The machine dies, and another one with this disk has its place, name, address and host key.
    fn takes_the_place(&self, site: &Site) {
        let lab = site.lab();
        lab.kill(self.machine).expect("the power is cut");
        let from = self.copy.path().display();
        let wipe = format!("find upper var-lib/* -mindepth 1 -delete\ncp -a {from}/. upper/");
        shell(&disk(site, self.machine), &wipe);
        lab.start(self.machine, NOTICE, |_| {}).expect("it starts");
    }
}

fn disk(site: &Site, machine: &str) -> PathBuf {
    site.lab().dir().join("machines").join(machine)
}

fn shell(folder: &Path, program: &str) {
    let mut command = Command::new("sh");
    command.args(["-ec", program]).current_dir(folder);
    assert!(command.status().expect("sh runs").success(), "{program}");
}

/// An empty machine of a dead one's name and address is made what that was by a plain `up`.
pub fn empty_machine_takes_the_place_of_a_dead_one(site: &Site, kubectl: &Kubectl, blank: &Blank) {
    blank.takes_the_place(site);
    site.up();
    site.nothing_to_do();
    assert_eq!(members(site, "one"), ["one", "three", "two"]);
    until("it is ready", NOTICE, || {
        kubectl.ready().contains(&blank.machine.to_owned())
    });
}

/// Who deletes an entry is asked, and then the machine leaves the cluster and is made what it was.
pub fn entry_that_is_deleted_takes_its_machine_along(site: &Site, kubectl: &Kubectl) {
    let before = text(site);
    let entry = format!(
        "    - name: five\n      roles: [worker]\n      address: {}\n",
        site.address("five")
    );
    assert!(before.contains(&entry), "{before}");
    std::fs::write(site.file(), before.replace(&entry, "")).expect("the file is written");
    let plan = changes(&site.plan());
    for expected in [
        "- drain/five drain:five",
        "- leave/five node:five",
        "five worker/join action:kubeadm-join",
    ] {
        assert!(
            plan.iter().any(|line| line == expected),
            "{expected}: {plan:?}"
        );
    }
    site.bramble(&["up"]).expect(2).says("the node five");
    assert!(
        nodes(kubectl).contains(&"five".to_owned()),
        "nothing unasked"
    );
    site.bramble(&["up", "--yes"]).expect(0);
    assert!(!nodes(kubectl).contains(&"five".to_owned()));
    site.on("five", "[ ! -e /var/lib/bramble ]");
    site.nothing_to_do();
    // A node that somebody else made is none of Bramble's business.
    let alien = "apiVersion: v1\nkind: Node\nmetadata: { name: alien }\n";
    let alien = site.write_beside("alien.yaml", alien);
    kubectl.run(&["apply", "-f", &alien.display().to_string()]);
    let plan = site.plan();
    assert!(changes(&plan).is_empty(), "{plan}");
    assert!(plan["remarks"].to_string().contains("node alien"), "{plan}");
    kubectl.run(&["delete", "node", "alien"]);
    std::fs::write(site.file(), before).expect("the file is written");
    site.up();
    site.nothing_to_do();
}

/// Workers that come change nothing on other workers, be it one or many, and on control planes only what
/// names them.
pub fn workers_come(site: &mut Site, kubectl: &Kubectl, many: usize) {
    let old = site.machines();
    come(site, kubectl, &["six".to_owned()], &old);
    let names: Vec<String> = (1..many).map(|n| format!("more{n}")).collect();
    if !names.is_empty() {
        come(site, kubectl, &names, &old);
    }
    let mut remove = vec!["machine", "remove", "--yes", "six"];
    remove.extend(names.iter().map(String::as_str));
    site.bramble(&remove).expect(0);
    site.nothing_to_do();
    assert_eq!(nodes(kubectl).len(), old.len());
}

fn come(site: &mut Site, kubectl: &Kubectl, names: &[String], old: &[String]) {
    for name in names {
        site.add(name);
        let address = site.address(name);
        let add = ["machine", "add", name, "--address", &address, "--no-up"];
        site.bramble(&add).expect(0);
    }
    site.lab_up();
    let planes = ["one", "two", "three"];
    for line in changes(&site.plan()) {
        let machine = line.split(' ').next().unwrap_or_default();
        let new = names.iter().any(|name| name == machine);
        let named = planes.contains(&machine) && line.contains(" base/hosts ");
        assert!(new || named || machine == "-", "{line}");
    }
    let before = journals(site, old, &planes);
    site.up();
    site.nothing_to_do();
    assert_eq!(journals(site, old, &planes), before);
    until("the new ones are ready", NOTICE, || {
        names.iter().all(|name| kubectl.ready().contains(name))
    });
}

/// The journals of workers.
fn journals(site: &Site, machines: &[String], but: &[&str]) -> BTreeMap<String, String> {
    let workers = machines.iter().filter(|m| !but.contains(&m.as_str()));
    workers
        .map(|m| (m.clone(), site.on(m, "sha256sum /var/lib/bramble/journal")))
        .collect()
}

fn text(site: &Site) -> String {
    std::fs::read_to_string(site.file()).expect("the file is read")
}

fn nodes(kubectl: &Kubectl) -> Vec<String> {
    kubectl.items(&["nodes"]).iter().map(name).collect()
}

/// The members of etcd, as the one on a control plane knows them.
fn members(site: &Site, machine: &str) -> Vec<String> {
    let program = "for c in $(ctr -n k8s.io tasks ls | awk '$3 == \"RUNNING\" { print $1 }'); do
	ctr -n k8s.io tasks exec --exec-id \"test-$$\" \"$c\" etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key member list 2>/dev/null && exit 0
done
exit 1";
    let list = site.script(machine, program);
    let mut names: Vec<String> = list
        .lines()
        .filter_map(|line| Some(line.split(',').nth(2)?.trim().to_owned()))
        .collect();
    names.sort();
    names
}
