//! What a blueprint holds, looked at from outside.

mod care;
mod demo;
mod fields;
mod fixed;
mod hooks;
mod kube_vip;
mod kubeadm;
mod overview;
mod pods;
mod programs;
mod proxy;
mod reach;
mod registry;
mod remains;
mod reset;
mod router;
mod runtime;
mod services;
mod setup;
mod sides;
mod snapshots;
mod vpn;
mod ways;
