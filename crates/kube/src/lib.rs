//! The Kubernetes API as a place where resources live.
