//! What only the home in the Kubernetes API does.

mod declared;
mod leads;
mod outages;
mod resources;
mod rights;
