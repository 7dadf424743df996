//! Users, their keys, sudo rules, and sshd.

use super::router;
use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{AuthorizedKeys, File, Service, SudoRule, User};

const SSHD: &str = "/etc/ssh/sshd_config.d/50-bramble.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    let mut out = Vec::new();
    for user in &on.cluster().users {
        // What the operator logs in with is under a guard.
        let own = user.name == on.machine.ssh.user;
        if user.name != "root" {
            let mut account = User::new(&user.name)
                .shell(&user.shell)
                .groups(user.groups.clone());
            account.disruptive = own;
            out.push(r(account));
        }
        if !user.authorized_keys.is_empty() {
            let mut keys = AuthorizedKeys::new(&user.name, user.authorized_keys.clone());
            keys.disruptive = own;
            out.push(r(keys));
        }
        if user.sudo && user.name != "root" {
            let rule = format!("{} ALL=(ALL:ALL) NOPASSWD: ALL", user.name);
            let mut rule = SudoRule::new(&user.name, rule);
            rule.disruptive = own;
            out.push(r(rule));
        }
    }
    // A name server that doesn't answer must not slow every login (U060).
    let mut sshd =
        File::text(SSHD, "# Made by Bramble.\nUseDNS no\n").checked("sshd -t -f \"$new\"");
    sshd.disruptive = true;
    let mut watch = vec![format!("file:{SSHD}")];
    out.push(r(sshd));
    if let Some(mut more) = router::backup::sshd(on) {
        more.check = Some("sshd -t -f \"$new\"".into());
        more.disruptive = true;
        watch.push(format!("file:{}", more.path));
        out.push(r(more));
    }
    let mut service = Service::on("ssh.service").watching(watch).reloading();
    service.disruptive = true;
    out.push(r(service));
    Some(on.step("base/access", out))
}
