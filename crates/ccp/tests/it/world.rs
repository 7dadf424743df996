//! What most tests begin with: a platform, a file, a template.

use crate::platform::{Manner, PASSWORD, Platform, USER};
use bramble_ccp::{Access, Client, Error, File, Made, Order, Pace, Told, Version};
use bramble_secret::Secret;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

pub const BOTH: [Version; 2] = [Version::V2, Version::V3];

/// The body that the platform's web page sends: every field of the seed's captured example, with Calico.
pub fn template_v2() -> Value {
    json!({
        "is_harbor_enabled": false, "provider_client_config_uuid": "p-1", "name": "captured",
        "kubernetes_version": "1.12.3", "ssh_key": "ecdsa-sha2-nistp521 AAAA", "description": "captured",
        "datacenter": "dc", "cluster": "cl", "resource_pool": "cl/Resources", "ingress_vip_pool_id": "vip-1",
        "load_balancer_ip_num": 2, "datastore": "ds", "storage_class": "vsphere", "networks": ["net-1"], "workers": 2,
        "ssh_user": "ccpuser", "type": 1, "masters": 1, "deployer_type": "kubeadm", "is_istio_enabled": false,
        "aws_iam_enabled": false, "node_ip_pool_uuid": "pool-1",
        "worker_node_pool": { "vcpus": 2, "memory": 16384, "template": "ccp-image" },
        "master_node_pool": { "vcpus": 2, "memory": 16384, "template": "ccp-image" },
        "network_plugin": { "name": "calico", "status": "", "details": "{\"pod_cidr\":\"192.168.0.0/16\"}" },
        "deployer": {
            "proxy_cmd": "ProxyCommand: ssh -l ccpuser", "provider_type": "vsphere",
            "provider": {
                "vsphere_datacenter": "dc", "vsphere_datastore": "ds", "vsphere_client_config_uuid": "p-1",
                "vsphere_working_dir": "/dc/vm",
            },
        },
    })
}

pub fn template_v2_aci() -> Value {
    let mut template = template_v2();
    template["network_plugin"]["name"] = json!("contiv-aci");
    template["aci_profile_uuid"] = json!("aci-1");
    template["registries_root_ca"] = json!([""]);
    template
}

pub fn template_v3() -> Value {
    json!({
        "type": "vsphere", "name": "captured", "provider": "p-1", "kubernetes_version": "1.16.3",
        "ip_allocation_method": "ccpnet", "subnet_id": "pool-1", "load_balancer_num": 2,
        "vsphere_infra": {
            "datacenter": "dc", "datastore": "ds", "networks": ["net-1"], "cluster": "cl", "resource_pool": "",
        },
        "master_group": { "name": "masters", "size": 1, "vcpus": 2, "memory_mb": 16384, "template": "ccp-image",
            "ssh_user": "ccpuser", "ssh_key": "ecdsa-sha2-nistp521 AAAA" },
        "node_groups": [{ "name": "workers", "size": 2, "vcpus": 2, "memory_mb": 16384, "template": "ccp-image",
            "ssh_user": "ccpuser", "ssh_key": "ecdsa-sha2-nistp521 AAAA" }],
        "network_plugin_profile": { "name": "calico",
            "details": { "pod_cidr": "192.168.0.0/16", "typhaReplicas": "0" } },
    })
}

pub fn template(version: Version) -> Value {
    match version {
        Version::V2 => template_v2(),
        Version::V3 => template_v3(),
    }
}

pub struct World {
    pub platform: Platform,
    pub client: Client,
    pub file: File,
    pub order: Order,
    pub told: Vec<Told>,
}

impl World {
    pub async fn new(version: Version, manner: Manner) -> Self {
        let platform = Platform::start(manner).await;
        let file = file(version, &platform.url(), "calico", "172.20.0.0/16");
        let order = Order::of(&file, &template(version)).unwrap();
        let client = Client::new(access(&platform, version, PASSWORD), pace()).unwrap();
        Self {
            platform,
            client,
            file,
            order,
            told: Vec::new(),
        }
    }

    pub async fn up(&mut self) -> Result<Made, Error> {
        let (_stay, stop) = watch::channel(false);
        let told = &mut self.told;
        self.client
            .up(&self.file, &self.order, stop, &mut |it| told.push(it))
            .await
    }

    pub async fn down(&mut self) -> Result<bool, Error> {
        let (_stay, stop) = watch::channel(false);
        let told = &mut self.told;
        self.client
            .down(&self.file, stop, &mut |it| told.push(it))
            .await
    }

    /// A cluster of this name that another one made.
    pub fn foreign(&self, description: &str) -> Value {
        let mut body = template(self.file.version);
        body["name"] = json!(self.file.name);
        body["description"] = json!(description);
        body
    }

    pub fn orders(&self) -> Vec<Value> {
        self.platform.record(|record| record.orders.clone())
    }
}

/// As patient as a test wants it.
pub fn pace() -> Pace {
    Pace {
        look: Duration::from_millis(10),
        request: Duration::from_secs(5),
        create: Duration::from_secs(20),
        delete: Duration::from_secs(20),
        patience: Duration::from_secs(5),
    }
}

pub fn access(platform: &Platform, version: Version, password: &str) -> Access {
    Access {
        url: platform.url(),
        version,
        username: USER.into(),
        password: Secret::new(password),
        authorities: Some(platform.authority.clone()),
    }
}

pub fn file(version: Version, url: &str, plugin: &str, range: &str) -> File {
    let api = match version {
        Version::V2 => "v2",
        Version::V3 => "v3",
    };
    File::parse(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: CcpCluster\nmetadata: {{ name: dash01-1 }}\nspec:\n  url: {url}\n  \
         api: {api}\n  username: {USER}\n  passwordFile: p\n  network: {{ plugin: {plugin}, range: {range} }}\n  \
         templateFile: t.json\n  description: for a button\n"
    ))
    .unwrap()
}
