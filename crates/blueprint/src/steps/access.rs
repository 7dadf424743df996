//! Users, their keys, sudo rules, and sshd.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{AuthorizedKeys, File, Service, SudoRule, User};

const SSHD: &str = "/etc/ssh/sshd_config.d/50-bramble.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    let mut out = Vec::new();
    for user in &on.cluster().users {
        if user.name != "root" {
            out.push(r(User::new(&user.name)
                .shell(&user.shell)
                .groups(user.groups.clone())));
        }
        if !user.authorized_keys.is_empty() {
            out.push(r(AuthorizedKeys::new(
                &user.name,
                user.authorized_keys.clone(),
            )));
        }
        if user.sudo && user.name != "root" {
            let rule = format!("{} ALL=(ALL:ALL) NOPASSWD: ALL", user.name);
            out.push(r(SudoRule::new(format!("bramble-{}", user.name), rule)));
        }
    }
    // A name server that doesn't answer must not slow every login (U060).
    let mut sshd =
        File::text(SSHD, "# Made by Bramble.\nUseDNS no\n").checked("sshd -t -f \"$new\"");
    sshd.disruptive = true;
    let mut service = Service::on("ssh.service")
        .watching([format!("file:{SSHD}")])
        .reloading();
    service.disruptive = true;
    out.push(r(sshd));
    out.push(r(service));
    Some(on.step("base/access", out))
}
