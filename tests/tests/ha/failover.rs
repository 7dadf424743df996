//! Any one control plane may fail: the API answers through the shared address, which one machine has.

use super::client::{Asked, Client, Owners};
use super::{PLANES, RECOVERY, api, shared, tries};
use bramble_tests::{Site, until};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long nobody may answer where the computer has other labs to run as well. That it is 10 s at most and less than
/// 5 s at the median is measured by the bench, on a computer that has nothing else to do.
const LIMIT: Duration = Duration::from_secs(20);

pub fn any_one_control_plane_may_fail(site: &Site) {
    let client = Client::new(vec![api(site)], Duration::from_secs(2));
    let owners = Owners::new(site, &shared(site));
    for turn in 0..tries(3) {
        let (holder, adapter) = holder(site, &owners);
        match turn % 3 {
            0 => {
                let done = fails(&client, &owners, &format!("{holder} is frozen"), || {
                    site.lab().freeze(&holder).expect("it is frozen");
                });
                assert_ne!(done.last(), Some(&adapter), "another has it: {done:?}");
                comes_back(site, || site.lab().thaw(&holder).expect("it goes on"));
            }
            1 => {
                let cable = cable(site, &holder);
                let done = fails(&client, &owners, &format!("{holder} is cut off"), || {
                    set(&cable, "down");
                });
                assert_ne!(done.last(), Some(&adapter), "another has it: {done:?}");
                comes_back(site, || set(&cable, "up"));
            }
            _ => {
                let done = fails(&client, &owners, &format!("{holder} has no power"), || {
                    site.lab().kill(&holder).expect("it is off");
                });
                assert_ne!(done.last(), Some(&adapter), "another has it: {done:?}");
                comes_back(site, || {
                    site.lab()
                        .start(&holder, RECOVERY, |_| {})
                        .expect("it starts");
                });
            }
        }
    }
    // What serves the API, killed on the machine that has the address: it is started again at once.
    let (holder, _) = holder(site, &owners);
    fails(
        &client,
        &owners,
        &format!("what serves the API is killed on {holder}"),
        || {
            site.on(
            &holder,
            "kill -9 $(pidof haproxy) $(pidof keepalived) $(pidof kube-apiserver) $(pidof etcd)",
        );
        },
    );
    comes_back(site, || {});
}

/// The machine that has the address, and the address of its adapter.
fn holder(site: &Site, owners: &Owners) -> (String, String) {
    let mut found = (String::new(), String::new());
    until("one machine has the address", RECOVERY, || {
        let begin = Instant::now();
        let mut seen = Vec::new();
        until("somebody answers for it", RECOVERY, || {
            seen = owners.since(begin);
            !seen.is_empty()
        });
        let Some(adapter) = seen.pop() else {
            return false;
        };
        let has = |m: &&&str| site.on(m, "cat /sys/class/net/host0/address") == adapter;
        let machine = PLANES.iter().find(has).map(|m| (*m).to_owned());
        found = (machine.unwrap_or_default(), adapter);
        !found.0.is_empty()
    });
    found
}

/// Does it and waits until the API answers again, and goes on answering. Gives the owners meanwhile.
fn fails(client: &Client, owners: &Owners, what: &str, act: impl FnOnce()) -> Vec<String> {
    let begin = Instant::now();
    act();
    until("the API is asked long enough after that", LIMIT * 4, || {
        let asked = client.asked();
        let lasting = asked.last().is_some_and(|a| a.at >= begin + LIMIT * 2);
        lasting
            || answers(&asked, begin).is_some_and(|gap| begin + gap + LIMIT / 2 < Instant::now())
    });
    let gap = answers(&client.asked(), begin);
    eprintln!("{what}: the API answered again after {gap:.1?}");
    assert!(gap.is_some_and(|gap| gap <= LIMIT), "{what}: {gap:?}");
    let seen = owners.since(begin);
    let mut different = seen.clone();
    different.sort();
    different.dedup();
    assert_eq!(
        different.len(),
        seen.len(),
        "{what}: the address has one owner at a time: {seen:?}"
    );
    seen
}

/// How long it took until the API answered, and went on answering.
fn answers(asked: &[Asked], begin: Instant) -> Option<Duration> {
    let since: Vec<&Asked> = asked.iter().filter(|a| a.at >= begin).collect();
    let lasting = since
        .windows(10)
        .find(|w| w.iter().all(|a| a.failed.is_none()))?;
    let first = lasting.first()?;
    // Nothing had failed at all.
    if since.first().is_some_and(|a| a.at == first.at) {
        let later = since.iter().rposition(|a| a.failed.is_some());
        return Some(later.map_or(Duration::ZERO, |at| since[at].done - begin));
    }
    Some(first.done - begin)
}

/// Mends it; the cluster is three again.
fn comes_back(site: &Site, mend: impl FnOnce()) {
    mend();
    until("the API answers at every control plane", RECOVERY, || {
        PLANES.iter().all(|name| {
            let url = format!("https://{}:6443/readyz", site.address(name));
            site.page(&url).is_ok()
        })
    });
}

/// This computer's end of a machine's cable.
fn cable(site: &Site, machine: &str) -> String {
    let index = site.on(machine, "cat /sys/class/net/host0/iflink");
    let all = Command::new("ip")
        .args(["-o", "link"])
        .output()
        .expect("ip runs");
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    let line = all.lines().find(|l| l.starts_with(&format!("{index}: ")));
    let name = line.and_then(|l| l.split([' ', '@', ':']).find(|w| w.starts_with("vb-")));
    name.unwrap_or_else(|| panic!("no cable {index} in {all}"))
        .to_owned()
}

fn set(cable: &str, state: &str) {
    let done = Command::new("ip")
        .args(["link", "set", cable, state])
        .status();
    assert!(done.is_ok_and(|s| s.success()), "{cable} {state}");
}
