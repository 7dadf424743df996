//! The address of the API that the control planes share, held by kube-vip: a static pod on each of them, one of
//! which has a lease in the cluster and with it the address.
//!
//! The pod's variables are those of kube-vip's documentation ("Static Pods", "Flags and Environment Variables").
//! It talks to the API server of its own machine (`kubernetes_addr`), so that neither an alias nor the address
//! itself is needed for that.

use super::control_plane;
use super::endpoint::interface;
use crate::context::{On, r};
use crate::obstacle::Obstacle;
use bramble_machine::kinds::{Action, Check, File};
use bramble_machine::{HOME, Resource, Script, Step};
use bramble_spec::cluster::{Endpoint, Role};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Short name of the image.
const IMAGE: &str = "kube-vip";
/// The first release that reads all of the pod's variables as they are meant here.
const FIRST: &[u32] = &[0, 9];
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-vip.yaml";
/// Seconds that the address lives on the machine that begins the cluster, while kubeadm is at work there.
const LIFE: u32 = 1200;

/// What the address is.
struct Shared {
    address: IpAddr,
    interface: String,
}

fn shared(on: &On) -> Option<Shared> {
    let Endpoint::KubeVip { address, .. } = on.cluster().kubernetes.endpoint else {
        return None;
    };
    on.is(Role::ControlPlane).then(|| Shared {
        address,
        interface: interface(on),
    })
}

/// The newest image in the bundle, and its release.
fn image(on: &On) -> Option<(Vec<u32>, String)> {
    let images = on.inputs.bundle?.images(on.arch());
    let images = images.filter(|i| i.short_name() == IMAGE);
    let found = images.map(|i| (release(&i.name().tag), i.reference.clone()));
    found.max()
}

/// The numbers of a tag such as `v1.2.3`; empty for one that has none.
fn release(tag: &str) -> Vec<u32> {
    let numbers = tag.trim_start_matches('v').split(['.', '-', '+']);
    numbers.map_while(|n| n.parse().ok()).collect()
}

/// Why the bundle doesn't do.
fn lacking(on: &On) -> Option<String> {
    let bundle = on.inputs.bundle?;
    let looked = on.inputs.facts.contains_key(&on.machine.name);
    let of = format!("the bundle of {}", bundle.kubernetes);
    match image(on) {
        _ if !looked => None,
        None => Some(format!(
            "{of} holds no image of kube-vip for {}",
            on.arch().as_str()
        )),
        // A tag without numbers is somebody's own, who knows what is in it.
        Some((release, name)) if !release.is_empty() && *release < *FIRST => Some(format!(
            "{of} holds {name}, which doesn't know all that is asked of it"
        )),
        Some(_) => None,
    }
}

/// What is made before the machine becomes a control plane.
pub(super) fn step(on: &On) -> Option<Step> {
    let shared = shared(on)?;
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    out.extend(lacking(on).map(|what| {
        r(Obstacle {
            name: "kube-vip".into(),
            what,
            hint: "add v0.9 or later: docker save ghcr.io/kube-vip/kube-vip:v1.2.3 -o kube-vip.tar && bramble bundle add kube-vip.tar --for control-plane --dir DIR (`bramble bundle list` shows where it is); or write `vip`, which needs no image".into(),
        })
    }));
    out.push(r(freed(on, &shared)));
    Some(on.step(super::endpoint::NAME, out))
}

/// Who begins the cluster looks whether somebody else has the address. What was lent of it goes with this.
fn freed(on: &On, shared: &Shared) -> Action {
    let Shared { address, interface } = shared;
    let mut run = Script::of(format!("address={address} dev={interface}"));
    if on.founds() {
        run.line(include_str!("kube_vip_free.sh"));
    }
    run.line("date >$B/endpoint.kube-vip");
    Action::new(
        "kube-vip-free",
        match on.founds() {
            true => format!("see that nobody has the address {address}"),
            false => format!("make ready for the address {address}"),
        },
        Check::Succeeds(format!(
            "[ -e {HOME}/endpoint.kube-vip ] || [ -e {} ]",
            control_plane::ADMIN
        )),
        run,
    )
    .undone_by(format!("{}\nrm -f $B/endpoint.kube-vip", let_go(*address)))
}

/// Takes the address off, on whatever interface it is by now.
fn let_go(address: IpAddr) -> String {
    format!(
        "ip -o address show to {address}/32 | while read -r _ dev _; do ip address del {address}/32 dev \"$dev\"; done"
    )
}

/// Ends the pod whose manifest goes next, before the control plane is taken apart: it lets go of lease and address
/// when it is told to end, and neither when it is killed. The kubelet has stopped by then.
fn ended(address: IpAddr) -> String {
    format!("{}\n{}", include_str!("kube_vip_end.sh"), let_go(address))
}

/// What goes before and after kubeadm on the machine that begins the cluster: it calls the API by the address, and
/// kube-vip can't have it before there is an API in which it could hold a lease. The address goes by itself
/// where this program is killed.
pub(super) fn lent(on: &On) -> (String, String) {
    match shared(on).filter(|_| on.founds()) {
        Some(Shared { address, interface }) => (
            format!(
                "ip address replace {address}/32 dev {interface} valid_lft {LIFE} preferred_lft {LIFE}"
            ),
            format!("ip address del {address}/32 dev {interface} 2>/dev/null || :"),
        ),
        None => (":".into(), ":".into()),
    }
}

/// What is made once the machine is a control plane: kubeadm has no rights for it before.
pub(super) fn held(on: &On) -> Vec<Arc<dyn Resource>> {
    let Some((shared, (_, image))) = shared(on).zip(image(on)) else {
        return Vec::new();
    };
    let file = File {
        mode: 0o600,
        ..File::text(MANIFEST, manifest(on, &shared, &image))
    };
    let mut answers = Action::new(
        "kube-vip-answers",
        format!("wait until the API answers at {}", shared.address),
        Check::Exists(format!("{HOME}/kube-vip.answers")),
        Script::of(format!(
            "address={}\n{}",
            shared.address,
            include_str!("kube_vip_answers.sh")
        )),
    )
    .undone_by(format!(
        "{}\nrm -f $B/kube-vip.answers",
        ended(shared.address)
    ));
    answers.limit = Duration::from_secs(200);
    vec![r(file), r(answers)]
}

/// Its lease is renewed every second and lost after 5 s; kube-vip's own defaults are 15 s and too slow for an
/// API that is to be back within 10 s. The release is named for the pod to be made anew with it: kubeadm renews
/// `admin.conf`, which kube-vip reads when it starts.
fn manifest(on: &On, shared: &Shared, image: &str) -> String {
    let Shared { address, interface } = shared;
    let (name, own, release) = (&on.machine.name, on.machine.address, on.version());
    let admin = control_plane::ADMIN;
    format!(
        r#"# Made by Bramble.
apiVersion: v1
kind: Pod
metadata:
  name: kube-vip
  namespace: kube-system
  labels: {{ app.kubernetes.io/name: kube-vip }}
  annotations: {{ bramble.dev/release: "{release}" }}
spec:
  hostNetwork: true
  priorityClassName: system-node-critical
  containers:
    - name: kube-vip
      image: "{image}"
      imagePullPolicy: IfNotPresent
      args: [manager]
      env:
        - {{ name: address, value: "{address}" }}
        - {{ name: port, value: "6443" }}
        - {{ name: vip_interface, value: "{interface}" }}
        - {{ name: vip_arp, value: "true" }}
        - {{ name: vip_subnet, value: "32" }}
        - {{ name: vip_nodename, value: "{name}" }}
        - {{ name: cp_enable, value: "true" }}
        - {{ name: cp_namespace, value: kube-system }}
        - {{ name: svc_enable, value: "false" }}
        - {{ name: vip_leaderelection, value: "true" }}
        - {{ name: vip_leasename, value: plndr-cp-lock }}
        - {{ name: vip_leaseduration, value: "5" }}
        - {{ name: vip_renewdeadline, value: "3" }}
        - {{ name: vip_retryperiod, value: "1" }}
        - {{ name: kubernetes_addr, value: "https://{own}:6443" }}
      securityContext:
        capabilities: {{ drop: [ALL], add: [NET_ADMIN, NET_RAW] }}
      volumeMounts:
        - {{ name: kubeconfig, mountPath: {admin}, readOnly: true }}
  volumes:
    - {{ name: kubeconfig, hostPath: {{ path: {admin}, type: File }} }}
"#
    )
}
