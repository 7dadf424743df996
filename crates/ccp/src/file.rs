//! The file that says which cluster is wanted, from which platform.

use crate::error::FileError;
use crate::pace::Pace;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// What `apiVersion` must say.
const API_VERSION: &str = "bramble.dev/v1alpha1";
/// What `kind` must say.
const KIND: &str = "CcpCluster";
/// Longest description of one's own, in characters.
const DESCRIPTION: usize = 120;
/// Limits that can be asked for, in minutes.
const MINUTES: std::ops::RangeInclusive<u64> = 1..=240;

/// A file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    url: String,
    api: Version,
    username: String,
    password_file: String,
    ca_file: Option<String>,
    description: Option<String>,
    network: NetworkWritten,
    template: Option<Value>,
    template_file: Option<String>,
    kubeconfig: Option<String>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkWritten {
    plugin: Plugin,
    range: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Limits {
    create_minutes: Option<u64>,
    delete_minutes: Option<u64>,
}

/// Versions of the platform's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// `/2/...`.
    V2,
    /// `/v3/...`.
    V3,
}

/// Network plug-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plugin {
    /// Calico: the range is that of the pods.
    Calico,
    /// The ACI plug-in: the range is that of the nodes' VLAN, which no other cluster may have.
    ContivAci,
}

impl Plugin {
    /// The platform's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Plugin::Calico => "calico",
            Plugin::ContivAci => "contiv-aci",
        }
    }

    /// Where the platform keeps the range.
    pub(crate) fn range_key(self) -> &'static str {
        match self {
            Plugin::Calico => "pod_cidr",
            Plugin::ContivAci => "node_vlan_cidr",
        }
    }
}

/// The network that a cluster is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The plug-in.
    pub plugin: Plugin,
    /// Its range of addresses.
    pub range: IpNet,
}

/// Where the template is.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateSource {
    /// In the file itself.
    Here(Value),
    /// In another file, as JSON; relative to this one.
    File(String),
}

/// A file that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The cluster's name, a DNS label.
    pub name: String,
    /// The platform, `https://...`.
    pub url: String,
    /// The version of its API.
    pub version: Version,
    /// Who logs in.
    pub username: String,
    /// The file with the password, one line.
    pub password_file: String,
    /// The file with the authorities that the platform's certificate may come from; without one, those that this
    /// computer trusts.
    pub ca_file: Option<String>,
    /// What is said of the cluster on the platform.
    pub description: Option<String>,
    /// Its network.
    pub network: Network,
    /// The template.
    pub template: TemplateSource,
    /// Where the kubeconfig goes; by default `NAME.kubeconfig` beside this file.
    pub kubeconfig: String,
    /// Limits.
    pub pace: Pace,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it has not the form, the first place that hasn't; else all values that can't be.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let written: Written =
            serde_saphyr::from_str(text).map_err(|error| FileError::Form(error.to_string()))?;
        let mut faults = Vec::new();
        let mut demand = |holds: bool, fault: &dyn Fn() -> String| {
            if !holds {
                faults.push(fault());
            }
        };
        let Written {
            api_version,
            kind,
            metadata: Metadata { name },
            spec,
        } = written;
        demand(api_version == API_VERSION && kind == KIND, &|| {
            format!("this must be apiVersion: {API_VERSION} and kind: {KIND}")
        });
        demand(is_dns_label(&name), &|| {
            format!(
                "metadata.name: {name:?} is no DNS label: lower-case letters, digits and hyphens, at most 63"
            )
        });
        demand(is_https(&spec.url), &|| {
            format!(
                "spec.url: {:?} is no https:// address without a path",
                spec.url
            )
        });
        demand(!spec.username.trim().is_empty(), &|| {
            "spec.username is empty".into()
        });
        demand(!spec.password_file.is_empty(), &|| {
            "spec.passwordFile is empty".into()
        });
        demand(
            spec.description.as_deref().is_none_or(is_describing),
            &|| format!("spec.description: one line of at most {DESCRIPTION} characters"),
        );
        let range = spec
            .network
            .range
            .parse::<IpNet>()
            .ok()
            .filter(|r| r.trunc() == *r);
        demand(range.is_some(), &|| {
            format!(
                "spec.network.range: {:?} is no network such as 10.20.0.0/16",
                spec.network.range
            )
        });
        for (name, minutes) in [
            ("createMinutes", spec.limits.create_minutes),
            ("deleteMinutes", spec.limits.delete_minutes),
        ] {
            demand(minutes.is_none_or(|m| MINUTES.contains(&m)), &|| {
                format!(
                    "spec.limits.{name}: from {} to {}",
                    MINUTES.start(),
                    MINUTES.end()
                )
            });
        }
        let template = match (spec.template, spec.template_file) {
            (Some(here), None) => Some(TemplateSource::Here(here)),
            (None, Some(file)) => Some(TemplateSource::File(file)),
            _ => None,
        };
        demand(template.is_some(), &|| {
            "spec wants either template or templateFile".into()
        });
        let (Some(range), Some(template), true) = (range, template, faults.is_empty()) else {
            return Err(FileError::Values(faults));
        };
        Ok(Self {
            kubeconfig: spec
                .kubeconfig
                .unwrap_or_else(|| format!("{name}.kubeconfig")),
            name,
            url: spec.url.trim_end_matches('/').to_owned(),
            version: spec.api,
            username: spec.username,
            password_file: spec.password_file,
            ca_file: spec.ca_file,
            description: spec.description,
            network: Network {
                plugin: spec.network.plugin,
                range,
            },
            template,
            pace: pace(&spec.limits),
        })
    }
}

fn pace(limits: &Limits) -> Pace {
    let usual = Pace::default();
    let minutes = |asked: Option<u64>, usual| asked.map_or(usual, |m| Duration::from_secs(m * 60));
    Pace {
        create: minutes(limits.create_minutes, usual.create),
        delete: minutes(limits.delete_minutes, usual.delete),
        ..usual
    }
}

/// RFC 1123, 2.1, in lower case: the platform allows neither upper case nor other signs. The name is part of paths.
fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_https(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn is_describing(text: &str) -> bool {
    text.chars().count() <= DESCRIPTION && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FILE: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: CcpCluster
metadata: { name: dash01-1 }
spec:
  url: https://ccp.example.org/
  api: v2
  username: admin
  passwordFile: ccp.password
  network: { plugin: calico, range: 172.20.0.0/16 }
  templateFile: calico.json
";

    fn faults(text: &str) -> Vec<String> {
        match File::parse(text) {
            Err(FileError::Values(faults)) => faults,
            Err(FileError::Form(text)) => vec![text],
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn a_small_file_is_enough() {
        let file = File::parse(FILE).unwrap();
        assert_eq!(file.url, "https://ccp.example.org");
        assert_eq!(file.kubeconfig, "dash01-1.kubeconfig");
        assert_eq!(file.template, TemplateSource::File("calico.json".into()));
        assert_eq!(file.pace, Pace::default());
    }

    #[test]
    fn all_values_that_cannot_be_are_named_at_once() {
        let text = FILE
            .replace("dash01-1", "Dash:01")
            .replace("https://ccp.example.org/", "http://ccp.example.org/x")
            .replace("172.20.0.0/16", "172.20.0.1/16")
            .replace(
                "  templateFile: calico.json\n",
                "  limits: { createMinutes: 0 }\n",
            );
        let faults = faults(&text);
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    #[test]
    fn what_is_not_known_or_missing_is_named_with_its_place() {
        let unknown = faults(&FILE.replace("username", "usrname"));
        assert!(
            unknown[0].contains("usrname") && unknown[0].contains("line 7"),
            "{unknown:?}"
        );
        let missing = faults(&FILE.replace("  username: admin\n", ""));
        assert!(missing[0].contains("username"), "{missing:?}");
        let version = faults(&FILE.replace("v2", "v4"));
        assert!(version[0].contains("v4"), "{version:?}");
    }

    #[test]
    fn a_password_has_no_place_in_it() {
        assert!(!faults(&FILE.replace("passwordFile: ccp.password", "password: x")).is_empty());
        let inside = FILE.replace("https://ccp", "https://admin:x@ccp");
        assert!(!faults(&inside).is_empty());
    }
}
