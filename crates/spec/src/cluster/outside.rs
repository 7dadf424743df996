//! What of a cluster concerns the computer that its file is used on.

use super::{Addon, Cluster, Endpoint, PodNetwork, Role};
use std::net::IpAddr;

/// The port of an API server.
const API_PORT: u16 = 6443;

/// `host:port`, with brackets around IPv6 addresses.
pub fn with_port(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

impl Cluster {
    /// `host:port` of the API as machines use it; empty without control planes.
    pub fn api_endpoint(&self) -> String {
        match &self.kubernetes.endpoint {
            Endpoint::None => match self.with_role(Role::ControlPlane).next() {
                Some(machine) => with_port(&machine.address.to_string(), API_PORT),
                None => String::new(),
            },
            Endpoint::External { host, port } => with_port(host, *port),
            Endpoint::Vip { address, port, .. } | Endpoint::KubeVip { address, port } => {
                with_port(&address.to_string(), *port)
            }
        }
    }

    /// Every file and folder beside the cluster file that it names, as written: what somebody must have at hand who
    /// uses it. Keys to log in with are not among them.
    pub fn companions(&self) -> Vec<&str> {
        let mut all = Vec::new();
        if let PodNetwork::Custom { dir } = &self.pod_network {
            all.push(dir.as_str());
        }
        for addon in &self.addons {
            if let Addon::Manifests { path, .. } = addon {
                all.push(path);
            }
        }
        all.extend(self.mirrors.trust.values().map(String::as_str));
        let snapshots = self.etcd.snapshots.as_ref();
        let s3 = snapshots.and_then(|s| s.s3.as_ref());
        all.extend(s3.map(|s3| s3.credentials_file.as_str()));
        if let Some(router) = &self.router {
            all.extend(router.secret_files());
        }
        all
    }
}
