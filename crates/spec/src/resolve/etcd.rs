//! Rules for the cluster's store.

use super::{Resolver, route};
use crate::cluster::{Etcd, S3, Snapshots};
use crate::file::etcd::{self as written, SnapshotSettings};
use crate::syntax;
use crate::tree::shorten;
use std::net::IpAddr;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(6 * 3600);
/// A week of them.
const KEEP: u32 = 28;
const REGION: &str = "us-east-1";

/// A path below `spec.etcd.snapshots`.
macro_rules! below {
    ($($seg:expr),* $(,)?) => { route!["spec", "etcd", "snapshots", $($seg),*] };
}

impl Resolver<'_> {
    pub(super) fn etcd(&mut self, cluster: &str) -> Etcd {
        let section = self.spec.etcd.as_ref();
        let settings = match section.and_then(|e| e.snapshots.clone()) {
            Some(written::Snapshots::Switch(false)) => return Etcd { snapshots: None },
            Some(written::Snapshots::Settings(settings)) => settings,
            Some(written::Snapshots::Switch(true)) | None => SnapshotSettings::default(),
        };
        let every = settings.every.as_deref().and_then(|text| {
            let noun = "the time between two snapshots of etcd";
            self.duration(text, &below!["every"], noun, ("10m", "7d"))
        });
        Etcd {
            snapshots: Some(Snapshots {
                every: every.unwrap_or(EVERY),
                keep: settings.keep.unwrap_or(KEEP),
                s3: settings.s3.and_then(|s3| self.s3(s3, cluster)),
            }),
        }
    }

    fn s3(&mut self, s3: written::S3, cluster: &str) -> Option<S3> {
        let endpoint = s3.endpoint.map(|text| self.s3_endpoint(&text));
        if let Some(bucket) = &s3.bucket
            && !bucket_name(bucket)
        {
            self.report(
                "bad-bucket",
                &below!["s3", "bucket"],
                format!("`{}` can't be the name of a bucket", shorten(bucket)),
                "it has 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends, and is no address",
            );
        }
        if let Some(prefix) = &s3.prefix
            && !object_prefix(prefix)
        {
            self.report(
                "bad-prefix",
                &below!["s3", "prefix"],
                format!("names of objects can't begin with `{}`", shorten(prefix)),
                "write words of letters, digits, `_`, `.` and `-` with slashes between them, such as clusters/home",
            );
        }
        if let Some(region) = &s3.region
            && !region_name(region)
        {
            self.report(
                "bad-region",
                &below!["s3", "region"],
                format!("`{}` is not a region", shorten(region)),
                "write it as the service names it, such as eu-central-1",
            );
        }
        if let Some(file) = &s3.credentials_file {
            self.path_value(file, &below!["s3", "credentialsFile"]);
        }
        let prefix = s3.prefix.as_deref().unwrap_or(cluster);
        Some(S3 {
            endpoint: endpoint?,
            bucket: s3.bucket?,
            prefix: prefix.trim_end_matches('/').to_owned(),
            region: s3.region.unwrap_or_else(|| REGION.to_owned()),
            credentials_file: s3.credentials_file?,
        })
    }

    /// The key itself never travels, only signatures made with it. But a snapshot holds every secret
    /// of the cluster, so it must not go over the internet in clear; and where a name leads, this
    /// crate can't tell.
    fn s3_endpoint(&mut self, text: &str) -> String {
        let path = below!["s3", "endpoint"];
        let example = "https://s3.example.org";
        self.url(text, &path, "bad-s3-endpoint", "an S3 service", example);
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        if rest.trim_end_matches('/').contains(['/', '?', '#']) {
            self.report(
                "s3-endpoint-path",
                &path,
                format!("`{}` is more than the address of an S3 service", shorten(text)),
                "write scheme, host and port alone; the bucket goes to `bucket`, folders in it to `prefix`",
            );
        }
        if let Some(rest) = text.strip_prefix("http://")
            && syntax::url(text).is_ok()
            && !is_private(rest.trim_end_matches('/'))
        {
            self.report(
                "s3-in-clear",
                &path,
                format!("snapshots would go to `{}` without encryption, and they hold every secret of the cluster", shorten(text)),
                "use https://; http:// is for a private address such as http://192.168.1.5:9000",
            );
        }
        text.trim_end_matches('/').to_owned()
    }
}

/// Whether this is an address, with or without port, that is inside a house or a machine.
fn is_private(host_port: &str) -> bool {
    let host = syntax::host_port(host_port).map(|(host, _)| host.parse::<IpAddr>());
    match host {
        Ok(Ok(IpAddr::V4(v4))) => v4.is_private() || v4.is_loopback(),
        Ok(Ok(IpAddr::V6(v6))) => v6.is_unique_local() || v6.is_loopback(),
        _ => false,
    }
}

fn bucket_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| inner(*b) || matches!(b, b'.' | b'-'))
        && bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
        && !text.contains("..")
        && text.parse::<IpAddr>().is_err()
}

fn object_prefix(text: &str) -> bool {
    let word = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let text = text.strip_suffix('/').unwrap_or(text);
    text.len() <= 512 && text.split('/').all(word)
}

fn region_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
