//! The cluster's store, validated.

use std::time::Duration;

/// The cluster's store, which runs on the control planes.
#[derive(Debug, Clone, PartialEq)]
pub struct Etcd {
    /// Snapshots that the control planes take by themselves; `None` = the file wants none.
    pub snapshots: Option<Snapshots>,
}

/// When snapshots are taken, and where they go.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshots {
    /// Time between two; 10 minutes to 7 days.
    pub every: Duration,
    /// How many each control plane keeps; 1 to 1000.
    pub keep: u32,
    /// A place outside where each of them goes too.
    pub s3: Option<S3>,
}

/// A place that speaks S3.
#[derive(Debug, Clone, PartialEq)]
pub struct S3 {
    /// Scheme, host and port, without a slash at the end.
    pub endpoint: String,
    /// An existing bucket.
    pub bucket: String,
    /// What names of objects begin with: words with slashes between them, never empty.
    pub prefix: String,
    /// Region for signatures.
    pub region: String,
    /// File with access key id and secret key, one a line, as written. Its content reaches the
    /// blueprint as a secret of that path.
    pub credentials_file: String,
}
