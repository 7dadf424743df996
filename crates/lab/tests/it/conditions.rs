//! Several labs, refusals, and labs that were left half-made.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bramble_lab::{
    AddressMode, Boot, DEFAULT_BASE, Error, Lab, LabMachine, Link, MachineState, Net, Options,
    Topology,
};

use crate::common::{LIMIT, Turn, assert_as_before, machine, ssh, topology, traces, until};

#[test]
fn two_labs_live_beside_each_other() {
    let turn = Turn::take(&["t-left", "t-right"]);
    let left = turn.up(&topology("t-left", 6, &["one"]));
    let right = turn.up(&topology("t-right", 7, &["one"]));
    let again = Lab::up(&topology("t-left", 8, &[]), &Options::default(), |_| {});
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
    // They don't reach each other, though this computer forwards for both.
    let crossing = left
        .ssh_command("one")
        .unwrap()
        .arg("ping -c1 -W1 10.213.7.11")
        .output()
        .unwrap();
    assert!(!crossing.status.success(), "labs reach each other");
    let names: Vec<String> = Lab::list(Path::new(DEFAULT_BASE))
        .into_iter()
        .map(|l| l.name)
        .collect();
    assert!(names.contains(&"t-left".to_owned()) && names.contains(&"t-right".to_owned()));
    left.down(|_| {}).unwrap();
    assert_eq!(ssh(&right, "one", "hostname"), "one\n");
    // The way outside is still there for the other lab.
    ssh(&right, "one", "getent hosts deb.debian.org");
}

#[test]
fn overlapping_ranges_are_refused_before_anything_is_made() {
    let turn = Turn::take(&["t-first", "t-second"]);
    turn.up(&topology("t-first", 9, &[]));
    let before = traces();
    let mut second = topology("t-second", 9, &["one"]);
    let refused = Lab::up(&second, &Options::default(), |_| {}).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("overlaps network lan (10.213.9.0/24) of lab t-first"),
        "{text}"
    );
    // This computer's own network, as of now.
    let routes = std::process::Command::new("ip")
        .args(["-4", "route"])
        .output()
        .unwrap();
    let routes = String::from_utf8(routes.stdout).unwrap();
    let own = routes
        .lines()
        .find(|l| l.contains("kernel") && !l.contains("brl-"))
        .and_then(|l| l.split(' ').next())
        .unwrap();
    second.networks[0] = Net {
        name: "lan".into(),
        range: own.parse().unwrap(),
        gateway: None,
        nat: false,
    };
    second.machines.clear();
    let text = Lab::up(&second, &Options::default(), |_| {})
        .unwrap_err()
        .to_string();
    assert!(text.contains("overlaps this computer's"), "{text}");
    assert_as_before(&before, "after refusals");
}

#[test]
fn a_lab_that_does_not_come_up_is_removed_and_says_why() {
    let turn = Turn::take(&["t-fail"]);
    let before = traces();
    let options = Options {
        ready_limit: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let text = Lab::up(&topology("t-fail", 10, &["one"]), &options, |_| {})
        .unwrap_err()
        .to_string();
    assert!(text.contains("machine one: it did not come up"), "{text}");
    assert!(text.contains("the end of its console"), "{text}");
    assert_as_before(&before, "after down");
    drop(turn);
}

/// Not a test by itself: [`a_killed_up_leaves_nothing_that_down_does_not_find`] runs this program
/// again with this variable, to kill it.
const VICTIM: &str = "BRAMBLE_LAB_VICTIM";

#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        let lab = Lab::up(
            &topology("t-killed", 14, &["one", "two"]),
            &Options::default(),
            |e| println!("{e:?}"),
        );
        println!("{lab:?}");
    }
}

#[test]
fn a_killed_up_leaves_nothing_that_down_does_not_find() {
    let turn = Turn::take(&["t-killed"]);
    let before = traces();
    for event in [
        "ImageReady",
        "NetworkReady",
        "MachineStarted",
        "MachineReady",
        "Ok(Lab",
    ] {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["conditions::victim", "--exact", "--nocapture"])
            .env(VICTIM, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let seen = lines.map_while(Result::ok).any(|l| l.contains(event));
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert!(seen, "{event} never came");
        if event == "Ok(Lab" {
            // Machines outlive the program that made them.
            let lab = Lab::open("t-killed").unwrap();
            assert_eq!(ssh(&lab, "two", "hostname"), "two\n");
        }
        Lab::down_by_name(Path::new(DEFAULT_BASE), "t-killed", |_| {}).unwrap();
        assert_as_before(&before, &format!("killed at {event}"));
    }
    drop(turn);
}

#[test]
fn half_a_lab_with_a_lost_record_goes_too() {
    let turn = Turn::take(&["t-half"]);
    let before = traces();
    let lab = turn.up(&topology("t-half", 11, &["one"]));
    // As after a killed `up` and a damaged disk: machines run, the record is gone.
    std::fs::write(lab.dir().join("lab.json"), "{").unwrap();
    let status = lab.status();
    assert!(
        status
            .damaged
            .is_some_and(|d| d.contains("lab.json is damaged"))
    );
    Lab::down_by_name(Path::new(DEFAULT_BASE), "t-half", |_| {}).unwrap();
    assert_as_before(&before, "after down");
    drop(turn);
}

#[test]
fn a_router_and_a_machine_behind_it_that_this_computer_can_not_reach() {
    let turn = Turn::take(&["t-router"]);
    let mut topology = topology("t-router", 12, &["gate"]);
    topology.networks.push(Net {
        name: "inner".into(),
        range: "10.213.13.0/24".parse().unwrap(),
        gateway: None,
        nat: false,
    });
    topology.machines[0].links[0].interface = Some("wan0".into());
    topology.machines[0].links.push(Link {
        net: "inner".into(),
        interface: Some("lan0".into()),
        mac: Some("02:00:00:00:00:0a".into()),
        address: AddressMode::Static {
            address: "10.213.13.1/24".parse().unwrap(),
            gateway: None,
            dns: vec![],
        },
    });
    topology.machines.push(LabMachine {
        name: "leaf".into(),
        links: vec![Link {
            net: "inner".into(),
            interface: None,
            mac: Some("02:00:00:00:00:0b".into()),
            address: AddressMode::Reserved("10.213.13.20".parse().unwrap()),
        }],
        boot: Boot::On,
    });
    topology.machines.push(LabMachine {
        boot: Boot::Off,
        ..machine("spare", 12, 13)
    });
    let lab = turn.up(&topology);
    let own = ssh(&lab, "gate", "cat /sys/class/net/lan0/address");
    assert_eq!(own, "02:00:00:00:00:0a\n");
    let reserved: Ipv4Addr = "10.213.13.20".parse().unwrap();
    let leaf = || lab.status().machines[1].clone();
    assert_eq!(
        (leaf().addresses, leaf().expected),
        (vec![], vec![reserved])
    );
    assert_eq!(ssh(&lab, "leaf", "hostname"), "leaf\n");
    assert!(lab.hears_ssh("leaf", LIMIT).unwrap());
    // networkd on the gate serves DHCP.
    ssh(
        &lab,
        "gate",
        "cd /etc/systemd/network && sed -i -e '/^Address/a DHCPServer=yes' 10-lan0.network && \
         printf '\\n[DHCPServer]\\nDNS=10.213.13.1\\n\\n[DHCPServerStaticLease]\\nMACAddress=02:00:00:00:00:0b\\nAddress=10.213.13.20\\n' \
         >> 10-lan0.network && networkctl reload && networkctl reconfigure lan0",
    );
    until("leaf has its address", LIMIT, || {
        leaf().addresses == [reserved] && leaf().expected.is_empty()
    });
    until("leaf has a name server", LIMIT, || {
        ssh(&lab, "leaf", "cat /etc/resolv.conf") == "nameserver 10.213.13.1\n"
    });
    ssh(&lab, "leaf", "ping -c1 -W2 10.213.13.1");
    let known = std::fs::read_to_string(lab.known_hosts()).unwrap();
    assert!(known.contains("leaf,10.213.13.20 ssh-ed25519 "), "{known}");
    assert_eq!(lab.status().machines[2].state, MachineState::Stopped);
    assert!(!lab.hears_ssh("spare", Duration::from_secs(2)).unwrap());
    lab.start("spare", LIMIT, |_| {}).unwrap();
    assert_eq!(ssh(&lab, "spare", "hostname"), "spare\n");
}

#[test]
fn a_directory_that_is_no_lab_is_left_alone() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("t-dir").join("precious");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "text").unwrap();
    let turn = Turn::take(&["t-dir"]);
    let options = Options {
        base: base.path().into(),
        ..Options::default()
    };
    let refused = Lab::up(&topology("t-dir", 15, &[]), &options, |_| {});
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("it is no lab's directory"), "{text}");
    assert!(!Lab::down_by_name(base.path(), "t-dir", |_| {}).unwrap());
    assert!(file.exists());
    drop(turn);
}

#[test]
fn an_unsound_topology_is_refused() {
    let bad = Topology {
        name: "../etc".into(),
        networks: vec![],
        machines: vec![],
    };
    let text = Lab::up(&bad, &Options::default(), |_| {})
        .unwrap_err()
        .to_string();
    assert!(text.contains("lab name \"../etc\""), "{text}");
    assert!(!Lab::down_by_name(Path::new(DEFAULT_BASE), "../etc", |_| {}).unwrap());
}
