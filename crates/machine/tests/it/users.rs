//! Users, keys and rights.

use crate::cycle::{Case, apply, fails, look, plan, refused, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::{AuthorizedKeys, SudoRule, User};

/// What the tools of the user data base leave: backups of the files, and new times of them.
const DATABASE: &[&str] = &[
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "time of /etc/passwd",
    "time of /etc/group",
    "time of /etc/shadow",
    "time of /etc/gshadow",
    "time of /etc/subuid",
    "time of /etc/subgid",
];

#[test]
fn a_user_comes_and_goes() {
    let user = User::new("anna").groups(["sudo", "adm"]);
    Case::new("", &user)
        .drift(&[
            ("gpasswd -d anna adm", "into adm"),
            ("usermod -s /bin/sh anna", "shell /bin/sh → /bin/bash"),
            ("userdel -r anna 2>/dev/null", "new user"),
        ])
        .remains(DATABASE)
        .run(|m| {
            assert_eq!(
                m.hand("id -nG anna; stat -c %U /home/anna"),
                "anna adm sudo\nanna\n"
            );
        });
}

#[test]
fn a_user_who_was_there_stays() {
    let user = User::new("bert").groups(["sudo", "adm"]);
    Case::new(
        "useradd -m -s /bin/sh -G adm,games bert; echo x > /home/bert/x",
        &user,
    )
    .remains(DATABASE)
    .run(|m| assert_eq!(m.hand("id -nG bert"), "bert adm sudo games\n"));
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &User::new("carl").groups(["nogroupofthatname"]));
    assert!(
        said.contains("group 'nogroupofthatname' does not exist"),
        "{said}"
    );
}

#[test]
fn a_group_of_the_users_name_is_no_obstacle() {
    // Debian ships the group.
    let user = User::new("operator");
    Case::new("getent group operator >/dev/null", &user)
        .remains(DATABASE)
        .run(|m| {
            assert_eq!(
                m.hand("id -gn operator; getent group operator | cut -d: -f1"),
                "operator\noperator\n"
            )
        });
}

#[test]
fn keys_in_the_usual_home_are_asked_for_at_once() {
    use bramble_machine::{Observation, Query, Resource};
    let wants = AuthorizedKeys::new("anna", ["ssh-ed25519 A"]).wants(&Observation::default());
    assert!(wants.contains(&Query::Content("/home/anna/.ssh/authorized_keys".into())));
}

#[test]
fn keys_come_and_go() {
    let keys = AuthorizedKeys::new("anna", ["ssh-ed25519 AAAA1 a@b", "ssh-ed25519 AAAA2 it's"]);
    let held = |m: &Machine| {
        assert_eq!(
            m.hand(
                "cd ~anna/.ssh; stat -c '%U:%G' . authorized_keys; find . -perm /022; grep -c ^ssh authorized_keys"
            ),
            "anna:anna\nanna:anna\n2\n"
        );
    };
    Case::new("useradd -m anna", &keys)
        .drift(&[
            (
                "sed -i /AAAA2/d ~anna/.ssh/authorized_keys",
                "the block differs",
            ),
            ("chown root ~anna/.ssh/authorized_keys", "sshd would refuse"),
            (
                "chmod 0777 ~anna/.ssh; chmod 0666 ~anna/.ssh/authorized_keys; ",
                "sshd would refuse",
            ),
            ("rm -r ~anna/.ssh", "add the block"),
        ])
        .run(held);
    let root = AuthorizedKeys::new("root", ["ssh-ed25519 AAAA1 a@b"]);
    Case::new("mkdir -m 0750 ~root/.ssh; printf 'ssh-rsa OWN me' > ~root/.ssh/authorized_keys; chmod 0640 ~root/.ssh/authorized_keys", &root)
        .run(|m| assert_eq!(m.hand("head -n 1 ~root/.ssh/authorized_keys"), "ssh-rsa OWN me\n"));
}

#[test]
fn keys_of_a_user_made_in_the_same_run() {
    let Some(m) = Machine::new("") else { return };
    let (user, keys) = (
        User::new("anna"),
        AuthorizedKeys::new("anna", ["ssh-ed25519 A"]),
    );
    // Both are planned before either is made.
    let seen = look(&m, &[&user as &dyn bramble_machine::Resource, &keys]);
    let planned = bramble_machine::Resource::plan(&keys, &seen)
        .expect("a plan")
        .expect("a change");
    apply(&m, &user);
    let said = crate::cycle::carry_out(&m, "authorized-keys:anna", &planned, "", "");
    assert_eq!(
        said.last(),
        Some(&bramble_machine::program::Said::End),
        "{said:?}"
    );
    assert!(plan(&m, &keys).expect("a plan").is_none());
    let modes = m.hand("stat -c '%a %U' ~anna/.ssh ~anna/.ssh/authorized_keys");
    assert_eq!(modes, "700 anna\n600 anna\n");
    undo_all(&m);
    assert_eq!(m.hand("ls /home"), "");
}

#[test]
fn root_follows_no_link_of_a_user() {
    let Some(m) = Machine::new(
        "useradd -m eve; mkdir ~eve/.ssh; ln -s /etc/shadow ~eve/.ssh/authorized_keys",
    ) else {
        return;
    };
    let said = refused(&m, &AuthorizedKeys::new("eve", ["ssh-ed25519 A"]));
    assert!(said.contains("is a symbolic link"), "{said}");
    let said = fails(&m, &AuthorizedKeys::new("nobodythere", ["ssh-ed25519 A"]));
    assert_eq!(said, "the user nobodythere does not exist");
    assert!(refused(&m, &AuthorizedKeys::new("eve", ["a\nb"])).contains("more than one line"));
}

#[test]
fn a_rule_of_sudo_is_checked() {
    let rule = SudoRule::new("anna.k", "daemon ALL=(ALL) NOPASSWD: ALL");
    Case::new("", &rule)
        .drift(&[(
            "chmod 0644 /etc/sudoers.d/bramble-anna_k",
            "mode 0644 → 0440",
        )])
        .run(|m| assert!(m.hand("sudo -lU daemon").contains("NOPASSWD: ALL")));
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &SudoRule::new("x", "this is no rule"));
    assert!(said.contains("syntax error"), "{said}");
    assert_eq!(m.hand("ls /etc/sudoers.d; sudo -n true"), "README\n");
}

#[test]
fn a_services_user_is_one_of_the_system_with_nothing_to_lose() {
    let user = User::new("backups").shell("/bin/sh").service();
    Case::new("", &user).remains(DATABASE).run(|m| {
        let seen = m.hand("[ $(id -u backups) -lt 1000 ] && ls -A ~backups | wc -l; getent passwd backups | cut -d: -f6,7");
        assert_eq!(seen, "0\n/home/backups:/bin/sh\n");
    });
    let Some(m) = Machine::new("") else { return };
    assert_eq!(apply(&m, &user).undo.destroys(), None);
}
