//! One file for each kind of custom resource.

pub(super) mod button;
pub(super) mod cluster;
pub(super) mod machine;
pub(super) mod run;
pub(super) mod template;
