//! Measures this computer: `cargo run -p bramble-lab --example measure -- 3 16` makes a lab of each
//! size, says how long that took and how much memory it uses, and removes it.

#![allow(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::path::Path;
use std::time::Instant;

use bramble_lab::{
    AddressMode, Boot, DEFAULT_BASE, DEFAULT_CACHE, Error, ImageOptions, Lab, LabMachine, Link,
    Net, Options, Topology, root_image,
};

fn main() -> Result<(), Error> {
    let begin = Instant::now();
    let image = root_image(Path::new(DEFAULT_CACHE), &ImageOptions::default(), &|_| {})?;
    println!(
        "root image {} after {:.1?}",
        image.display(),
        begin.elapsed()
    );
    for size in std::env::args()
        .skip(1)
        .filter_map(|a| a.parse::<u8>().ok())
    {
        let before = used();
        let begin = Instant::now();
        let lab = Lab::up(&topology(size), &Options::default(), |_| {})?;
        let up = begin.elapsed();
        let memory = used().saturating_sub(before);
        let begin = Instant::now();
        lab.down(|_| {})?;
        println!(
            "{size} machines: up in {up:.1?}, {memory} MB of memory, down in {:.1?}",
            begin.elapsed()
        );
    }
    let left = Lab::list(Path::new(DEFAULT_BASE));
    println!("{} labs on this computer now", left.len());
    Ok(())
}

fn topology(size: u8) -> Topology {
    let net = [10, 214, 0, 0];
    let address = |last: u8| [net[0], net[1], net[2], last].into();
    Topology {
        name: "measure".to_owned(),
        networks: vec![Net {
            name: "lan".to_owned(),
            range: ipnet::Ipv4Net::new_assert(net.into(), 24),
            gateway: Some(address(1)),
            nat: true,
        }],
        machines: (1..=size)
            .map(|n| LabMachine {
                name: format!("m{n}"),
                links: vec![Link {
                    net: "lan".to_owned(),
                    interface: None,
                    mac: None,
                    address: AddressMode::Static {
                        address: ipnet::Ipv4Net::new_assert(address(n.saturating_add(10)), 24),
                        gateway: Some(address(1)),
                        dns: Vec::new(),
                    },
                }],
                boot: Boot::On,
            })
            .collect(),
    }
}

/// Memory in use, without what the kernel would give back, in MB.
fn used() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> u64 {
        text.lines()
            .find_map(|l| {
                l.strip_prefix(name)?
                    .split_whitespace()
                    .nth(1)?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    field("MemTotal").saturating_sub(field("MemAvailable")) / 1024
}
