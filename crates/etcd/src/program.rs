//! The shell that runs beside a member.

use bramble_machine::Script;
use bramble_machine::program::PRELUDE;
use bramble_machine::shell::word;

/// Functions: `etcd CTL-ARGUMENTS` runs etcdctl in the member's own container.
pub const MEMBER: &str = include_str!("sh/member.sh");
/// Functions that let a member learn before it votes.
const LEARNER: &str = include_str!("sh/learner.sh");
/// Functions that stop a control plane and start it again.
const STILL: &str = include_str!("sh/still.sh");

/// Takes the member of a machine's earlier life out of the cluster; it is dead, or its machine would not
/// join. `kubeadm join` adds the new one.
pub fn forget(name: &str, address: &str) -> String {
    removal(name, address, "dead=1")
}

/// Makes room for a machine's member that learns before it votes; prints what [`join`] needs to know.
pub fn learner(name: &str, address: &str) -> String {
    format!(
        "{MEMBER}{LEARNER}etcd_learner {} {}",
        word(name),
        word(address)
    )
}

/// What runs before and after `kubeadm join` on a machine whose member learns first. kubeadm before 1.29 adds it
/// as one that votes at once: a single member waits for the second then, without a leader, and API servers of
/// some releases never show their first clients what comes after that (kubernetes/kubernetes issue 97294).
///
/// `learner` is the shell variable with what [`learner`] printed, `voter` the address of another member,
/// `/run/bramble/init.yaml` the configuration of kubeadm.
pub fn join(learner: &str, voter: &str) -> (String, String) {
    let before = format!(
        "{MEMBER}{LEARNER}learner=\"${learner}\" voter={}\n{}",
        word(voter),
        include_str!("sh/join.sh")
    );
    let after = "wait \"$promotion\" || { c=$?; cat /run/bramble/promotion; exit $c; }\nrm -f /run/bramble/promotion";
    (before, after.to_owned())
}

/// The program that takes a control plane's member out of etcd, run on another one. Refuses where those that
/// remain would have no quorum.
pub fn remove_member(name: &str, address: &str) -> Script {
    Script::of(removal(name, address, "dead=''"))
}

fn removal(name: &str, address: &str, how: &str) -> String {
    format!(
        "{MEMBER}\n{how}\netcd_remove {} {}",
        word(name),
        word(address)
    )
}

/// Writes a snapshot of the cluster's data to a file on the machine, unless it is there.
pub fn snapshot(file: &str) -> String {
    format!("{MEMBER}\netcd_snapshot {}", word(file))
}

/// Takes a snapshot and says what [`crate::stored`] reads.
pub fn take(file: &str) -> String {
    let then = format!(
        "etcd_snapshot {0}\nprintf '%s ' {0}\ncat {0}.json",
        word(file)
    );
    whole(&[], &then)
}

/// Takes a snapshot away again.
pub fn drop_snapshot(file: &str) -> String {
    format!(
        "set -e\nrm -f {0} {0}.json\nrmdir {1} 2>/dev/null || :\n",
        word(file),
        crate::HOME
    )
}

/// Lists the snapshots of the machine, for [`crate::stored`].
pub fn list() -> String {
    whole(&[], include_str!("sh/list.sh"))
}

/// Asks the member of a machine, for [`crate::Seen::read`].
pub fn look() -> String {
    whole(&[], include_str!("sh/look.sh"))
}

/// Defragments the member of a machine; says its status afterwards.
pub fn defrag() -> String {
    changing(&[], include_str!("sh/defrag.sh"))
}

/// Makes the folder that the snapshot of a restore is brought to.
pub fn restore_folder() -> String {
    format!(
        "set -e\nmkdir -p -m 0700 {} {}\n",
        crate::HOME,
        crate::RESTORE
    )
}

/// Whether what was brought can be restored; says what is in it.
pub fn restore_check() -> String {
    changing(&[STILL], include_str!("sh/restore_check.sh"))
}

/// Takes away what was brought, where nothing has begun.
pub fn restore_forget() -> String {
    format!(
        "[ -e {0}/begun ] || rm -rf {0}\nrmdir {1} 2>/dev/null || :\n",
        crate::RESTORE,
        crate::HOME
    )
}

/// Stops the control plane of a machine for a restore.
pub fn restore_stop() -> String {
    changing(&[STILL], include_str!("sh/restore_stop.sh"))
}

/// Makes a member's data of the snapshot. `cluster` has all members that begin together, as etcd's
/// `--initial-cluster` takes them; `token` makes them a cluster that none of before can mix with.
pub fn restore_data(name: &str, peer: &str, cluster: &str, token: &str) -> String {
    let values = format!(
        "name={} peer={} cluster={} token={}\n",
        word(name),
        word(peer),
        word(cluster),
        word(token)
    );
    changing(&[STILL, &values], include_str!("sh/restore_data.sh"))
}

/// Starts the member; ends when it answers for the cluster.
pub fn restore_start() -> String {
    changing(&[STILL], include_str!("sh/restore_start.sh"))
}

/// Starts the rest of the control plane; ends when its API server is ready. The restore counts as under way
/// until [`restore_tidy`], so that all machines are at the same place if one does not get here.
pub fn restore_finish() -> String {
    changing(&[STILL], include_str!("sh/restore_finish.sh"))
}

/// Nothing is under way any more.
pub fn restore_tidy() -> String {
    let tidy = format!("rm -rf {}\n", crate::RESTORE);
    changing(&[], &tidy)
}

/// Puts the data from before the restore in its place again.
pub fn restore_back() -> String {
    changing(&[STILL], include_str!("sh/restore_back.sh"))
}

/// Lets a node look at the cluster anew.
pub fn relearn() -> String {
    format!("set -e\n{}", include_str!("sh/relearn.sh"))
}

/// Makes the member of the machine a cluster of one.
pub fn recover() -> String {
    changing(&[STILL], include_str!("sh/recover.sh"))
}

/// Stops a control plane whose member the cluster has forgotten.
pub fn retire() -> String {
    changing(&[STILL], include_str!("sh/retire.sh"))
}

/// A program that changes something: one at a time on a machine, also when the connection of who began the one
/// before was cut off.
fn changing(before: &[&str], text: &str) -> String {
    let alone = "prepare || { echo 'another program of Bramble is at work here' >&2; exit 75; }\n";
    format!("{PRELUDE}{alone}{}", whole(before, text))
}

fn whole(before: &[&str], text: &str) -> String {
    let mut out = format!("set -e\n{MEMBER}");
    for part in before {
        out.push_str(part);
    }
    out.push_str(text);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}
