//! Kubernetes artefacts as one content-addressed folder.
