//! Certificates near their end, and new CAs, with a client that asks the API all the time.

use super::client::Client;
use super::{PLANES, RECOVERY, api};
use bramble_tests::{Site, until, until_else};
use serde_json::Value;
use std::time::Duration;

/// How long one answer may take: a request that is led to another API server is answered late, not lost.
const LIMIT: Duration = Duration::from_secs(5);

/// Gives a control plane certificates that last DAYS, signed as kubeadm signs them.
const SHORT: &str = r#"
set -eu
cd /etc/kubernetes/pki
short() { # FILE CA, without their endings: names, subject and key stay
	openssl x509 -x509toreq -in "$1.crt" -signkey "$1.key" -out /tmp/short.csr 2>/dev/null
	openssl x509 -in "$1.crt" -noout -ext subjectAltName,extendedKeyUsage,keyUsage 2>/dev/null |
		sed -n 's/^ *//; /^DNS:\|^IP/ { s/IP Address:/IP:/g; s/^/subjectAltName = /p }' >/tmp/short.ext
	echo 'extendedKeyUsage = serverAuth, clientAuth' >>/tmp/short.ext
	openssl x509 -req -in /tmp/short.csr -CA "$2.crt" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" \
		-days DAYS -extfile /tmp/short.ext -out "$1.crt.new" 2>/dev/null
	mv "$1.crt.new" "$1.crt"
	rm -f /tmp/short.csr /tmp/short.ext
}
short apiserver ca
short apiserver-kubelet-client ca
short front-proxy-client front-proxy-ca
short apiserver-etcd-client etcd/ca
short etcd/server etcd/ca
short etcd/peer etcd/ca
"#;

/// What `certs status` says.
fn certificates(site: &Site) -> Vec<Value> {
    let done = site
        .bramble(&["certs", "status", "--output", "json"])
        .expect(0);
    let all = done.json()["certificates"].as_array().cloned();
    all.expect("a list of certificates")
}

fn soon(site: &Site) -> Vec<String> {
    let all = certificates(site);
    let soon = all.iter().filter(|c| c["standing"] == "soon");
    soon.map(|c| format!("{} {}", c["machine"], c["what"]))
        .collect()
}

/// Those near their end are renewed on all control planes, and nobody who asks the API is refused.
pub fn near_their_end_are_renewed(site: &Site) {
    for plane in PLANES {
        site.script(plane, &SHORT.replace("DAYS", "5"));
    }
    let seen = soon(site);
    assert_eq!(seen.len(), 3 * 6, "{seen:?}");
    let planned = site.bramble(&["certs", "renew", "--dry-run"]).expect(0);
    planned.says("one  renew");
    assert_eq!(soon(site).len(), 3 * 6, "a dry run changes nothing");
    let client = asking(site);
    site.bramble(&["certs", "renew"])
        .expect(0)
        .says("bramble kubeconfig");
    nobody_was_refused(client);
    assert!(soon(site).is_empty(), "{:?}", soon(site));
    served_anew(site);
    site.soon_nothing_to_do(RECOVERY);
}

/// Those of one control plane are over, and nothing of it serves any more: it comes back, and nobody who asks the
/// others notices.
pub fn over_on_one_are_renewed(site: &Site) {
    site.script("two", &SHORT.replace("DAYS", "-1"));
    site.on("two", "pkill -x etcd; pkill -x kube-apiserver");
    until("its member is out", RECOVERY, || {
        site.bramble(&["etcd", "members"]).code == Some(1)
    });
    site.bramble(&["certs", "status"]).expect(1).says(" over ");
    let client = asking(site);
    site.bramble(&["certs", "renew"]).expect(0);
    nobody_was_refused(client);
    until("three members are healthy", RECOVERY, || {
        site.bramble(&["etcd", "members"]).code == Some(0)
    });
    served_anew(site);
    site.soon_nothing_to_do(RECOVERY);
}

/// All CAs are others than before, pods and nodes trust them, and the API was there all the time.
pub fn ca_rotation(site: &Site) {
    let ca = |machine: &str, name: &str| {
        site.on(
            machine,
            &format!("openssl x509 -noout -fingerprint -in /etc/kubernetes/pki/{name}.crt"),
        )
    };
    let all = ["ca", "front-proxy-ca", "etcd/ca"];
    let before = all.map(|name| ca("one", name));
    site.bramble(&["certs", "rotate-ca"])
        .expect(2)
        .says("say --yes");
    let client = asking(site);
    site.bramble(&["certs", "rotate-ca", "--yes", "--until-trusted"])
        .expect(0)
        .says("kubectl rollout restart");
    site.nothing_to_do();
    site.bramble(&["certs", "rotate-ca", "--yes"])
        .expect(0)
        .says("the old CAs are gone");
    nobody_was_refused(client);
    for (name, before) in all.iter().zip(&before) {
        let after = PLANES.map(|plane| ca(plane, name));
        assert_ne!(*before, after[0], "{name} is another");
        assert!(after.iter().all(|a| *a == after[0]), "{name}: {after:?}");
        let count = site.on(
            "one",
            &format!("grep -c BEGIN /etc/kubernetes/pki/{name}.crt"),
        );
        assert_eq!(count, "1", "the old {name} is dropped");
    }
    for machine in site.machines() {
        assert_eq!(ca(&machine, "ca"), ca("one", "ca"));
        site.on(&machine, "! [ -e /var/lib/bramble/ca-rotation ]");
        site.on(
            &machine,
            "openssl verify -CAfile /etc/kubernetes/pki/ca.crt /var/lib/kubelet/pki/kubelet-client-current.pem",
        );
    }
    until_else(
        "all nodes are ready",
        RECOVERY,
        || {
            let done = site.try_on(
                "one",
                "KUBECONFIG=/etc/kubernetes/admin.conf kubectl --cache-dir /run/kubectl-cache get nodes --no-headers",
            );
            let ready = done.stdout.lines().filter(|l| l.contains(" Ready"));
            ready.count() == site.machines().len()
        },
        String::new,
    );
    site.soon_nothing_to_do(RECOVERY);
}

fn asking(site: &Site) -> Client {
    Client::new(vec![api(site)], LIMIT)
}

/// What is asked is `/readyz`, which an API server may answer with "no" between two looks of HAProxy's, where the
/// computer has too much to do: once, and not for long.
fn nobody_was_refused(client: Client) {
    let asked = client.asked();
    drop(client);
    let lost: Vec<_> = asked.iter().filter_map(|a| a.failed.as_ref()).collect();
    eprintln!(
        "{} of {} requests failed: {lost:?}",
        lost.len(),
        asked.len()
    );
    let refused = asked
        .windows(2)
        .any(|two| two.iter().all(|a| a.failed.is_some()));
    assert!(
        !refused && lost.len() <= 2,
        "{} of {} requests failed: {lost:?}",
        lost.len(),
        asked.len()
    );
    assert!(asked.len() > 100, "{} requests", asked.len());
}

/// What the API servers show is what is in their files now.
fn served_anew(site: &Site) {
    for plane in PLANES {
        let shown = site.on(
            plane,
            "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -enddate",
        );
        let filed = site.on(
            plane,
            "openssl x509 -noout -enddate -in /etc/kubernetes/pki/apiserver.crt",
        );
        assert_eq!(shown, filed, "{plane}");
    }
}
