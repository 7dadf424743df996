//! Every kind on a real root file system: apply, again, drift, interruption, undo, compare.

mod actions;
mod archives;
mod care;
mod cycle;
mod disks;
mod files;
mod interface_guard;
mod interfaces;
mod machine;
mod minted;
mod nft_table;
mod packages;
mod probe;
mod programs;
mod root;
mod system;
mod users;
mod values;
