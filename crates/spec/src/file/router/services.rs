//! What else the router serves, as it is written: a name that follows its address, images, web traffic,
//! backups.

use crate::file::{DNS_NAME, URL};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A DNS name that follows the router's public address, at Cloudflare.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ddns {
    /// The name in full, such as home.example.org.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_NAME))]
    pub name: Option<String>,
    /// The zone that it is in, such as example.org.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_NAME))]
    pub zone: Option<String>,
    /// File with an API token that may edit the zone's DNS, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub token_file: Option<String>,
    /// Where the public address is read: `uplink`, or a URL that answers with it. Default: the uplink where
    /// its address is a public one, else `https://cloudflare.com/cdn-cgi/trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which families are kept up to date. Default: `[ipv4]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub families: Option<Vec<Family>>,
    /// Seconds between two looks, 60 to 86400. Default: 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86400))]
    pub every: Option<u32>,
    /// URL of the API. Default: `https://api.cloudflare.com/client/v4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub api: Option<String>,
}

/// A family of addresses.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Container images near the machines. The images of the bundle are always served.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registry {
    /// Copies of other registries that fill as images are pulled; 50 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<RegistryMirror>,
    /// A registry for images of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<PrivateRegistry>,
    /// Folder on the router that holds the images; put it on a disk with `machines[].disks`. `up` removes
    /// nothing that is in it; `down` does, and asks. Default: /var/lib/bramble-registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
}

/// A copy of another registry that fills as images are pulled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryMirror {
    /// Host in the names of images, such as docker.io.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub host: Option<String>,
    /// URL of the registry. Default: `https://` and the host (for docker.io, registry-1.docker.io).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub url: Option<String>,
    /// Login name there. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password or token, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// A registry for images of your own, at port 5000 of the router, with TLS.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["users"]))]
pub struct PrivateRegistry {
    /// Who may push and pull. Nodes pull as the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub users: Vec<RegistryUser>,
}

/// Who may push to and pull from the private registry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryUser {
    /// Login name, without a colon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"))]
    pub name: Option<String>,
    /// File with the password, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub password_file: Option<String>,
}

/// Web traffic from outside to the cluster: ports 80 and 443 of the router.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingress {
    /// Address of the ingress controller's service: one of the LAN that nobody else has, outside the pool.
    /// Default: every node that answers, at node ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Port there for the router's port 80. Default: 80 with `address`, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub http: Option<u16>,
    /// Port there for the router's port 443; TLS passes through. Default: 443 with `address`, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub https: Option<u16>,
}

/// A place for backups (Borg) on the router.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["clients"]))]
pub struct Backup {
    /// Folder that holds the backups, apart from the registry's; put it on a disk with `machines[].disks`. `down`
    /// too leaves what is in it. Default: /var/lib/bramble-backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Who may store backups; each sees its own alone and can add, but not remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub clients: Vec<BackupClient>,
}

/// Who may store backups.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupClient {
    /// Its name, and that of its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub name: Option<String>,
    /// Public SSH key, one line without options; each client has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub key: Option<String>,
    /// May also remove backups of its own. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
}
