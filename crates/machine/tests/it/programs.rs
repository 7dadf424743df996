//! Every generated program passes shellcheck.

use bramble_machine::journal::Identity;
use bramble_machine::journal::Line;
use bramble_machine::kinds::{
    Action, AptMirror, AptSource, Archive, AuthorizedKeys, Binary, Block, Check, CmdlineWords,
    ContainerImage, Content, Directory, File, FileSystem, HostName, HugePages, Interface, Link,
    Modules, Mount, NftTable, Packages, Service, SudoRule, SwapFile, SwapOff, Sysctl, TimeZone,
    User,
    interface::{Method, Wifi},
};
use bramble_machine::program::{Part, program};
use bramble_machine::query::{Answer, Printed, Query, Stat};
use bramble_machine::{Networking, Observation, Resource, Script, probe};
use std::collections::BTreeSet;
use std::process::Command;

/// What shellcheck finds that is meant:
/// SC1091 os-release is not there to be followed; SC2317/SC2329 functions of the prelude that one
/// program does not call; SC2034/SC2154 facts are set for a part that may not use them, or by
/// os-release; SC2015 `a && b || c` where b can't fail; SC2016 awk programs are quoted on purpose;
/// SC2043 a list of one; SC2089/SC2090 texts in the environment are for awk;
/// SC2046/SC2086 words of lists that are split on purpose; SC2120/SC2119 optional arguments.
const MEANT: &str = "SC1091,SC2317,SC2329,SC2034,SC2154,SC2015,SC2016,SC2043,SC2089,SC2090,SC2046,SC2086,SC2119,SC2120";

fn samples() -> Vec<Box<dyn Resource>> {
    let image = ContainerImage {
        reference: "registry.example/pause:3.2".into(),
        sha256: "00".repeat(32),
        size: 1,
        pull: None,
        digest: "sha256:0".into(),
    };
    let binary = Binary {
        path: "/usr/local/bin/it's".into(),
        sha256: "00".repeat(32),
        size: 1,
        mode: 0o755,
        version: "v1".into(),
    };
    let action = Action::new(
        "x",
        "do x",
        Check::Exists("/x y".into()),
        Script::of("touch '/x y'"),
    );
    vec![
        Box::new(File::text("/etc/it's", "a 'b' $c\n").checked("test -s \"$new\"")),
        Box::new(File::new("/etc/x", Content::Bytes(vec![0, 1]), 0o600)),
        Box::new(Packages::new("base", ["tree"]).leaving(["/x y"])),
        Box::new(Service::on("chrony.service").reloading()),
        Box::new(Service::off("x@y.service")),
        Box::new(action.undone_by("rm -f '/x y'")),
        Box::new(binary),
        Box::new(Archive::new("x", "v1", &"00".repeat(32), 1).members(vec!["it's".into()])),
        Box::new(image),
        Box::new(Directory::new("/srv/a b/c").owned()),
        Box::new(Directory::new("/srv/a")),
        Box::new(Link::new("/etc/l", "a b")),
        Box::new(
            Block::new("/etc/hosts", "n", "it's")
                .before("x y")
                .creating(),
        ),
        Box::new(User::new("anna").groups(["sudo"])),
        Box::new(AuthorizedKeys::new("anna", ["ssh-ed25519 A it's"])),
        Box::new(SudoRule::new("x", "x ALL=(ALL) ALL")),
        Box::new(Sysctl::new("x", [("net.ipv4.ip_forward", "1")])),
        Box::new(Modules::new(["overlay"])),
        Box::new(CmdlineWords::new(["a=1"])),
        Box::new(SwapOff),
        Box::new(SwapFile::new("/var/lib/swap", 1 << 30)),
        Box::new(HugePages::new([(2048, 3), (1 << 20, 1)])),
        Box::new(HostName::new("one")),
        Box::new(TimeZone::new("Europe/Berlin")),
        Box::new(Mount::new("/dev/x", "/mnt/a b", "ext4")),
        Box::new(AptSource::new("x", "http://x.example/debian", "./").key("-----BEGIN x")),
        Box::new(AptMirror::new("http://x.example/debian")),
        Box::new(NftTable {
            name: "bramble-x".into(),
            title: "a trial".into(),
            rules: "\tchain x { }\n".into(),
            advice: String::new(),
        }),
        Box::new(Interface::fixed(
            "lan",
            "lan0",
            ["10.7.0.1/24".parse().expect("x")],
        )),
        Box::new(Interface {
            role: "uplink".into(),
            name: "wlan0".into(),
            method: Method::Dhcp,
            wifi: Some(Wifi {
                ssid: "it's".into(),
                password: bramble_secret::Secret::new("it's $HOME"),
                country: "DE".into(),
            }),
            advertised: true,
            watch: Vec::new(),
        }),
        Box::new(FileSystem {
            device: "/dev/disk/by-id/it's".into(),
            fstype: "ext4".into(),
            at: "/srv/a b".into(),
            wipe: true,
            owner: "x".into(),
        }),
    ]
}

/// Machines on which every kind has something to do.
fn machines(resources: &[Box<dyn Resource>]) -> Vec<Observation> {
    let bare = Observation::default();
    let mut used = Observation::default();
    used.facts.swap = true;
    let text = |t: &str| Answer::Text(Some(t.into()));
    let wanted: Vec<Query> = resources.iter().flat_map(|r| r.wants(&used)).collect();
    for query in wanted {
        let answer = match &query {
            Query::Stat(path) if !path.ends_with("/.") => Answer::Stat(Some(Stat {
                kind: 'f',
                mode: 0o600,
                owner: "x".into(),
                group: "x".into(),
                size: 1,
                mtime: "1".into(),
                ctime: "1".into(),
                inode: 1,
                target: String::new(),
            })),
            Query::Content(path) if path == "/proc/swaps" => text("Filename\n/dev/x y\n"),
            Query::Content(path) if path == "/etc/fstab" => text("/dev/x none swap sw 0 0\n"),
            Query::Content(_) => text("a=0 b\n"),
            Query::Command(look) if look.contains("blkid") => Answer::Printed(Printed {
                text: "node /dev/sdb\nsectors 9\npart 8:16 sdb\nsign TYPE=vfat".into(),
                exit: 0,
            }),
            Query::Sysctl(_) => text("0"),
            Query::User(name) => text(&format!("{name}:x:1:1::/home/{name}:/bin/sh")),
            _ => continue,
        };
        used.answers.insert(query, answer);
    }
    let managers = [
        Networking::NetworkManager,
        Networking::Ifupdown,
        Networking::Dhcpcd,
    ];
    let mut all = vec![bare, used.clone()];
    all.extend(managers.map(|manager| {
        let mut seen = used.clone();
        seen.facts.networking = manager;
        seen
    }));
    all
}

#[test]
fn programs_pass_shellcheck() {
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        #[allow(clippy::print_stdout)]
        {
            println!("skipped: shellcheck is absent");
        }
        return;
    }
    let resources = samples();
    let dir = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    let mut write = |text: String| {
        let path = dir.path().join(format!("{}.sh", files.len()));
        std::fs::write(&path, text).expect("a program");
        files.push(path);
    };
    for seen in machines(&resources) {
        let queries: BTreeSet<Query> = resources.iter().flat_map(|r| r.wants(&seen)).collect();
        write(probe::program(&queries, "abc", true));
        let mut parts = Vec::new();
        let mut finally = Script::new();
        for resource in &resources {
            let Ok(Some(change)) = resource.plan(&seen) else {
                continue;
            };
            let id = resource.id();
            finally.extend(&change.undo.finally());
            let undo = (change.undo.script(), Line::Gone { id: id.clone() });
            for (apply, end) in [(change.apply, Line::Done { id: id.clone() }), undo] {
                parts.push(Part {
                    id: id.clone(),
                    apply,
                    begin: None,
                    end,
                });
            }
        }
        assert!(parts.len() > 30, "only {} parts", parts.len());
        for parts in parts.chunks(8) {
            write(program(
                &Identity::default(),
                parts,
                &[("join-token".into(), "a b".into())],
                &finally,
                "abc",
            ));
        }
    }
    let out = Command::new("shellcheck")
        .args(["-s", "sh", "-e", MEANT])
        .args(&files)
        .output()
        .expect("shellcheck");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
}
