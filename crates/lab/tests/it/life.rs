//! Coming up, going down, restarts, power cuts, and that nothing stays.

use std::path::Path;

use bramble_lab::{DEFAULT_BASE, Lab, MachineState};

use crate::common::{LIMIT, Turn, assert_as_before, machine, ssh, topology, traces};

#[test]
fn two_machines_live_and_go_without_a_trace() {
    let turn = Turn::take(&["t-life"]);
    let before = traces();
    let lab = turn.up(&topology("t-life", 1, &["one", "two"]));
    for name in ["one", "two"] {
        assert_eq!(ssh(&lab, name, "hostname"), format!("{name}\n"));
    }
    let ids = ["one", "two"].map(|m| ssh(&lab, m, "cat /etc/machine-id"));
    assert_ne!(ids[0], ids[1], "machines share an identity");
    let keys = std::fs::read_to_string(lab.known_hosts()).unwrap();
    let keys: Vec<&str> = keys.lines().filter_map(|l| l.split(' ').nth(2)).collect();
    assert_ne!(keys[0], keys[1], "machines share a host key");
    ssh(&lab, "one", "ping -c1 -W2 10.213.1.12");
    let status = lab.status();
    assert_eq!(status.machines.len(), 2);
    for m in &status.machines {
        assert_eq!(m.state, MachineState::Running);
        assert!(m.uptime.is_some_and(|u| u < LIMIT));
        assert_eq!(m.addresses.len(), 1);
    }
    // Not even a hanging machine keeps the lab up.
    lab.freeze("two").unwrap();
    lab.clone().down(|_| {}).unwrap();
    assert_as_before(&before, "after down");
    lab.down(|_| {}).unwrap();
    assert!(!Lab::down_by_name(Path::new(DEFAULT_BASE), "t-life", |_| {}).unwrap());
    assert!(Lab::open("t-life").is_err());
}

#[test]
fn a_machine_restarts_from_inside_and_after_a_power_cut() {
    let turn = Turn::take(&["t-power"]);
    let lab = turn.up(&topology("t-power", 2, &["one"]));
    let boot = |lab: &Lab| ssh(lab, "one", "cat /proc/sys/kernel/random/boot_id");
    ssh(
        &lab,
        "one",
        "echo kept > /root/mark; mkdir -p /var/lib/x && touch /var/lib/x/mark",
    );
    let first = boot(&lab);
    let pid = lab.status().machines[0].pid.unwrap();
    // The connection may or may not end cleanly.
    lab.ssh_command("one")
        .unwrap()
        .arg("systemctl reboot")
        .status()
        .unwrap();
    lab.wait_restarted("one", pid, LIMIT).unwrap();
    let second = boot(&lab);
    assert_ne!(first, second);
    // The early unit has done its work again.
    ssh(
        &lab,
        "one",
        "cat /root/mark /var/lib/x/mark; sysctl -w net.ipv4.ip_forward=1",
    );

    lab.kill("one").unwrap();
    assert_eq!(lab.status().machines[0].state, MachineState::Stopped);
    assert!(
        lab.ssh_command("one")
            .unwrap()
            .arg("true")
            .output()
            .unwrap()
            .status
            .code()
            != Some(0)
    );
    lab.start("one", LIMIT, |_| {}).unwrap();
    assert_eq!(ssh(&lab, "one", "cat /root/mark"), "kept\n");
    assert_ne!(boot(&lab), second);

    lab.stop("one", LIMIT, |_| {}).unwrap();
    assert_eq!(lab.status().machines[0].state, MachineState::Stopped);
    let console = lab.console_tail("one", 5);
    assert!(!console.contains('\u{1b}'), "{console}");
    lab.start("one", LIMIT, |_| {}).unwrap();
    let again = lab.start("one", LIMIT, |_| {}).unwrap_err().to_string();
    assert!(again.contains("one is running"), "{again}");

    lab.freeze("one").unwrap();
    assert_eq!(lab.status().machines[0].state, MachineState::Frozen);
    let connect = "10.213.2.11:22".parse().unwrap();
    let mut stream = std::net::TcpStream::connect_timeout(&connect, LIMIT).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(300)))
        .unwrap();
    let mut byte = [0];
    assert!(
        std::io::Read::read(&mut stream, &mut byte).is_err(),
        "a frozen machine answered"
    );
    lab.thaw("one").unwrap();
    assert_eq!(ssh(&lab, "one", "cat /root/mark"), "kept\n");

    ssh(&lab, "one", "systemctl stop ssh");
    let enter = |program: &str| lab.enter_command("one", program).unwrap().output().unwrap();
    let inside = enter("hostname; cat /root/mark; systemctl start ssh");
    assert_eq!(String::from_utf8_lossy(&inside.stdout), "one\nkept\n");
    lab.wait_ready("one", LIMIT).unwrap();
    assert_eq!(ssh(&lab, "one", "cat /root/mark"), "kept\n");
}

#[test]
fn a_machine_joins_a_running_lab() {
    let turn = Turn::take(&["t-join"]);
    let lab = turn.up(&topology("t-join", 3, &["one"]));
    lab.add_machine(machine("two", 3, 12), LIMIT, |_| {})
        .unwrap();
    ssh(&lab, "two", "ping -c1 -W2 10.213.3.11");
    let twice = lab
        .add_machine(machine("two", 3, 13), LIMIT, |_| {})
        .unwrap_err();
    assert!(
        twice.to_string().contains("machine two is there twice"),
        "{twice}"
    );
}
