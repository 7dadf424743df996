//! What belongs to the whole machine: kernel, names, time, swap, file systems.

use crate::cycle::{Case, apply, due, fails, plan, refused, undo_all};
use crate::machine::{Machine, alone};
use bramble_machine::kinds::{CmdlineWords, HostName, Modules, Mount, SwapOff, Sysctl, TimeZone};

#[test]
fn kernel_parameters() {
    let params = Sysctl::new(
        "net",
        [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv4.ip_local_port_range", "20000 30000"),
        ],
    );
    let read = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_local_port_range";
    Case::new("", &params)
        .drift(&[
            (
                "echo 0 > /proc/sys/net/ipv4/ip_forward",
                "net.ipv4.ip_forward 0 → 1",
            ),
            (
                "echo >> /etc/sysctl.d/90-bramble-net.conf",
                "content differs",
            ),
        ])
        .run(|m| assert_eq!(m.hand(read), "1\n20000\t30000\n"));
    let Some(m) = Machine::new("") else { return };
    let before = m.hand(read);
    apply(&m, &params);
    // More parameters later: all of their old values come back.
    let more = Sysctl::new(
        "net",
        [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv4.conf.lo.rp_filter", "1"),
        ],
    );
    apply(&m, &more);
    m.hand("echo 0 > /proc/sys/net/ipv4/ip_forward");
    apply(&m, &more);
    undo_all(&m);
    assert_eq!(m.hand(read), before);
    assert_eq!(m.hand("cat /proc/sys/net/ipv4/conf/lo/rp_filter"), "0\n");
}

#[test]
fn kernel_parameters_that_can_not_be_set() {
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &Sysctl::new("a", [("kernel.ostype", "Plan9")]));
    assert_eq!(
        said,
        "kernel parameter kernel.ostype is Linux and can not be set to Plan9 on this machine"
    );
    let said = fails(&m, &Sysctl::new("b", [("net.no.such", "1")]));
    assert_eq!(
        said,
        "kernel parameter net.no.such does not exist: is its module loaded?"
    );
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn modules() {
    // A kernel with a folder for modules, of which some are there already.
    let prepare = "d=/lib/modules/$(uname -r); mkdir -p $d; echo kernel/fs/some-built_in.ko > $d/modules.builtin";
    let there = Modules::new(["some_built-in", "overlay"]);
    Case::new(prepare, &there)
        .drift(&[("rm /etc/modules-load.d/bramble.conf", "new file")])
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/modules-load.d/bramble.conf"),
                "some_built-in\noverlay\n"
            )
        });
    let Some(m) = Machine::new(prepare) else {
        return;
    };
    let missing = Modules::new(["no-such-module"]);
    assert!(due(&m, &missing).summary.contains("load no-such-module"));
    assert!(fails(&m, &missing).contains("no-such-module"));
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn modules_where_none_can_be_loaded() {
    let Some(m) = Machine::new("") else { return };
    assert!(
        plan(&m, &Modules::new(["overlay", "who_knows"]))
            .expect("a plan")
            .is_none()
    );
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn words_of_the_kernel_line() {
    let words = CmdlineWords::new(["cgroup_enable=memory", "cgroup_memory=1", "a.b/c=[&]"]);
    let line = "console=tty1  root=PARTUUID=1-2 cgroup_memory=0 cgroup_enable=cpuset rootwait";
    let want = "console=tty1  root=PARTUUID=1-2 cgroup_memory=1 cgroup_enable=cpuset rootwait cgroup_enable=memory a.b/c=[&]";
    for end in ["", "\\n"] {
        let prepare = format!(
            "mkdir -p /boot/firmware; printf '{line}{end}' > /boot/firmware/cmdline.txt; echo 'moved' > /boot/cmdline.txt; touch -d 2001-02-03 /boot/firmware/cmdline.txt"
        );
        Case::new(&prepare, &words)
            .drift(&[(
                "sed -i s/cgroup_memory=1/cgroup_memory=0/ /boot/firmware/cmdline.txt",
                "cgroup_memory=0 → cgroup_memory=1 (takes effect after a reboot)",
            )])
            .run(|m| {
                let end = if end.is_empty() { "" } else { "\n" };
                assert_eq!(
                    m.hand("cat /boot/firmware/cmdline.txt"),
                    format!("{want}{end}")
                );
            });
    }
    // Somebody else's edit outlives it.
    let Some(m) = Machine::new(&format!("echo '{line}' > /boot/cmdline.txt")) else {
        return;
    };
    apply(&m, &words);
    m.hand("sed -i 's/$/ quiet/; s/1-2/3-4/' /boot/cmdline.txt");
    undo_all(&m);
    assert_eq!(
        m.hand("cat /boot/cmdline.txt"),
        format!("{} quiet\n", line.replace("1-2", "3-4"))
    );
    // Not a Raspberry Pi; an empty line; two words in one.
    m.hand("rm /boot/cmdline.txt");
    assert!(plan(&m, &words).expect("a plan").is_none());
    m.hand(": > /boot/cmdline.txt");
    assert!(refused(&m, &words).contains("is empty"));
    m.hand("echo x > /boot/cmdline.txt");
    assert!(refused(&m, &CmdlineWords::new(["a b"])).contains("is not one word"));
}

#[test]
fn swap_is_taken_out_of_fstab() {
    let _alone = alone();
    let prepare = "printf '# swap\\n/dev/a / ext4 defaults 0 1\\n  /dev/b none\\tswap sw 0 0\\nUUID=1 swap swap defaults 0 0' > /etc/fstab; touch -d 2001-02-03 /etc/fstab";
    Case::new(prepare, &SwapOff)
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/fstab"),
                "# swap\n/dev/a / ext4 defaults 0 1\n#bramble#   /dev/b none\tswap sw 0 0\n#bramble# UUID=1 swap swap defaults 0 0"
            );
        });
    let Some(m) = Machine::new(prepare) else {
        return;
    };
    apply(&m, &SwapOff);
    m.hand("echo >> /etc/fstab; echo '/new none swap sw 0 0' >> /etc/fstab");
    assert_eq!(due(&m, &SwapOff).summary, "take swap out of /etc/fstab");
    apply(&m, &SwapOff);
    undo_all(&m);
    assert!(
        m.hand("cat /etc/fstab")
            .ends_with("UUID=1 swap swap defaults 0 0\n/new none swap sw 0 0\n")
    );
}

#[test]
fn the_host_name() {
    let name = HostName::new("one.example");
    let read = "cat /proc/sys/kernel/hostname /etc/hostname";
    Case::new("printf before > /etc/hostname", &name)
        .drift(&[
            ("hostname other", "other → one.example"),
            ("rm /etc/hostname", "new file"),
        ])
        .run(|m| assert_eq!(m.hand(read), "one.example\none.example\n"));
    let Some(m) = Machine::new("rm -f /etc/hostname") else {
        return;
    };
    m.hand("hostname before");
    apply(&m, &name);
    undo_all(&m);
    assert_eq!(m.hand("hostname"), "before\n");
    assert!(refused(&m, &HostName::new("a b")).contains("is no host name"));
}

#[test]
fn the_time_zone() {
    let zone = TimeZone::new("Europe/Berlin");
    Case::new(
        "ln -sfn ../usr/share/zoneinfo/Asia/Tokyo /etc/localtime; echo Asia/Tokyo > /etc/timezone",
        &zone,
    )
    .drift(&[
        (
            "ln -sfn /usr/share/zoneinfo/UTC /etc/localtime",
            "UTC → Europe/Berlin",
        ),
        ("echo UTC > /etc/timezone", "/etc/timezone says \"UTC\""),
    ])
    .run(|m| {
        assert_eq!(
            m.hand("date +%Z -d 2020-01-01; cat /etc/timezone"),
            "CET\nEurope/Berlin\n"
        )
    });
    Case::new("rm -f /etc/localtime /etc/timezone", &zone).run(|m| {
        assert_eq!(
            m.hand("test ! -e /etc/timezone; readlink /etc/localtime"),
            "/usr/share/zoneinfo/Europe/Berlin\n"
        );
    });
    let Some(m) = Machine::new("mv /usr/share/zoneinfo /usr/share/zi") else {
        return;
    };
    assert!(fails(&m, &zone).contains("install the package tzdata"));
    m.hand("mv /usr/share/zi /usr/share/zoneinfo");
    assert!(refused(&m, &TimeZone::new("Europe/Nowhere")).contains("knows no time zone"));
    assert!(refused(&m, &TimeZone::new("../../etc/passwd")).contains("no name of a time zone"));
}

#[test]
fn a_file_system() {
    let mount = Mount::new("tmpfs", "/mnt/my data", "tmpfs").options("size=1m");
    let held = |m: &Machine| {
        assert_eq!(
            m.hand("grep bramble -A1 /etc/fstab | head -n 2 | tail -n 1"),
            "tmpfs /mnt/my\\040data tmpfs size=1m,nofail 0 0\n"
        );
        assert_eq!(m.hand("grep -c my.040data /proc/mounts"), "1\n");
    };
    Case::new(
        "printf '# none' > /etc/fstab; touch -d 2001-01-01 /etc/fstab",
        &mount,
    )
    .drift(&[
        ("umount '/mnt/my data'", "mount tmpfs"),
        ("sed -i s/size=1m/size=2m/ /etc/fstab", "the block differs"),
    ])
    .run(held);
    Case::new(
        "rm -f /etc/fstab; mkdir '/mnt/my data'; chmod 0700 '/mnt/my data'",
        &mount,
    )
    .run(held);
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &Mount::new("/dev/no-such-disk", "/mnt/x", "ext4"));
    assert!(said.contains("/dev/no-such-disk"), "{said}");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}
