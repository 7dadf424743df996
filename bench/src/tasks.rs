//! The 27 preparation tasks. `prep/playbook.yml` and `prep/deploy.py` say the same in the same order;
//! what files hold is in `prep/files`, which all three read.

use bramble_machine::kinds::{
    AuthorizedKeys, Block, Directory, File, HostName, Packages, Service, SudoRule, Sysctl,
    TimeZone, User,
};
use bramble_machine::{Blueprint, MachineBlueprint, Resource, Step};
use std::sync::Arc;

/// Number of tasks on each machine.
pub const COUNT: usize = 27;

/// The packages of the third task.
pub const PACKAGES: [&str; 8] = [
    "chrony", "cron", "curl", "ethtool", "htop", "jq", "rsync", "socat",
];

const HOSTS: [(&str, &str); 3] = [
    ("10.215.0.1", "gate.bench.internal"),
    ("10.215.0.2", "mirror.bench.internal"),
    ("10.215.0.3", "registry.bench.internal"),
];

const SYSCTLS: [(&str, &str); 3] = [
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.tcp_keepalive_time", "600"),
    ("net.ipv4.conf.all.rp_filter", "2"),
];

/// What each of these machines should be.
pub fn blueprint(machines: &[&str]) -> Blueprint {
    let machine = |name: &&str| {
        let step = Step {
            name: "prepare",
            resources: tasks(name),
            needs: Vec::new(),
        };
        ((*name).to_owned(), MachineBlueprint { steps: vec![step] })
    };
    Blueprint {
        cluster: super::lab::NAME.to_owned(),
        machines: machines.iter().map(machine).collect(),
        ..Blueprint::default()
    }
}

fn tasks(name: &str) -> Vec<Arc<dyn Resource>> {
    let mut out: Vec<Arc<dyn Resource>> = vec![
        r(HostName::new(name)),
        r(TimeZone::new("Europe/Berlin")),
        r(Packages::new("bench", PACKAGES)),
        r(User::new("ada").groups(["sudo"])),
        r(AuthorizedKeys::new(
            "ada",
            [include_str!("../prep/files/ada.pub").trim_end()],
        )),
        r(SudoRule::new("ada", include_str!("../prep/files/sudoers"))),
        r(File::text(
            "/etc/modules-load.d/bench.conf",
            include_str!("../prep/files/modules.conf"),
        )),
    ];
    for (key, value) in SYSCTLS {
        let group = key.rsplit('.').next().unwrap_or(key).replace('_', "-");
        out.push(r(Sysctl::new(group, [(key, value)])));
    }
    for (address, name) in HOSTS {
        out.push(r(Block::new(
            "/etc/hosts",
            name,
            format!("{address}\t{name}\n"),
        )));
    }
    out.push(r(File::text(
        "/etc/default/chrony",
        include_str!("../prep/files/chrony"),
    )));
    let watch = ["file:/etc/default/chrony"];
    out.push(r(Service::on("chrony.service").watching(watch)));
    out.push(r(Service::on("cron.service")));
    out.push(r(Service::on("ssh.service")));
    for (path, mode) in [
        ("/srv/bench", 0o755),
        ("/srv/bench/data", 0o750),
        ("/srv/bench/logs", 0o755),
        ("/srv/bench/private", 0o700),
    ] {
        out.push(r(Directory::new(path).mode(mode)));
    }
    for (path, text) in [
        ("/etc/motd", include_str!("../prep/files/motd")),
        ("/etc/issue.net", include_str!("../prep/files/issue.net")),
        (
            "/etc/profile.d/bench.sh",
            include_str!("../prep/files/profile.sh"),
        ),
        (
            "/etc/logrotate.d/bench",
            include_str!("../prep/files/logrotate"),
        ),
        ("/etc/cron.d/bench", include_str!("../prep/files/cron")),
        (
            "/srv/bench/app.conf",
            include_str!("../prep/files/app.conf"),
        ),
    ] {
        out.push(r(File::text(path, text)));
    }
    out
}

fn r(resource: impl Resource + 'static) -> Arc<dyn Resource> {
    Arc::new(resource)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_as_many_tasks_as_the_tables_say() {
        assert_eq!(super::tasks("m01").len(), super::COUNT);
        let playbook = include_str!("../prep/playbook.yml");
        // Handlers stand before the tasks.
        let (_, playbook) = playbook.split_once("\n  tasks:\n").unwrap_or_default();
        assert_eq!(playbook.matches("    - name: ").count(), super::COUNT);
        let deploy = include_str!("../prep/deploy.py");
        assert_eq!(deploy.matches("    name=\"").count(), super::COUNT);
    }
}
