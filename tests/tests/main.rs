//! Real clusters on real machines. They need root, systemd-nspawn and a bundle; where something is
//! missing, the tests fail and say what.

mod base;
mod button;
mod care;
mod cluster;
mod custom;
mod ddns;
mod files;
mod ha;
mod logins;
mod managers;
mod package;
mod proxied;
mod reach;
mod replicas;
mod router;
mod steps;
