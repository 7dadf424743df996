//! Real labs on this computer. They need root and systemd-nspawn: where something is missing, every
//! test fails and says what.

mod common;

mod conditions;
mod inside;
mod life;
