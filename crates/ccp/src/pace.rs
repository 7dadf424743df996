//! How long things may take.

use std::time::Duration;

/// How often the platform is asked, and how long anything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks at a cluster; the first ones follow each other sooner.
    pub look: Duration,
    /// One request, but for those that make or delete a cluster: version 2 answers them when it is done.
    pub request: Duration,
    /// From the order until the cluster is ready.
    pub create: Duration,
    /// From the order until the cluster is gone.
    pub delete: Duration,
    /// How long a platform may be unreachable, or a cluster that was ordered unheard of, before it is given up.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(5),
            request: Duration::from_secs(30),
            create: Duration::from_secs(60 * 60),
            delete: Duration::from_secs(30 * 60),
            patience: Duration::from_secs(2 * 60),
        }
    }
}
