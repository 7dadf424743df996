//! Measures this computer: `cargo run -p bramble-lab --example measure -- 3 16` makes a lab of each
//! size, says how long that took and how much memory it uses, and removes it. An argument with a `/`
//! is the cache of root images; an empty one shows what building costs.

#![allow(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::path::Path;
use std::time::Instant;

use bramble_lab::{
    AddressMode, Boot, DEFAULT_BASE, DEFAULT_CACHE, Error, ImageOptions, Lab, LabMachine, Link,
    Net, Options, Topology, root_image,
};

fn main() -> Result<(), Error> {
    let cache = std::env::args().skip(1).find(|a| a.contains('/'));
    let options = Options {
        cache: cache.unwrap_or_else(|| DEFAULT_CACHE.to_owned()).into(),
        ..Options::default()
    };
    let begin = Instant::now();
    let image = root_image(&options.cache, &ImageOptions::default(), &|_| {})?;
    println!(
        "root image {} after {:.1?}",
        image.display(),
        begin.elapsed()
    );
    for size in std::env::args()
        .skip(1)
        .filter_map(|a| a.parse::<u8>().ok())
    {
        let free = available();
        let begin = Instant::now();
        let lab = Lab::up(&topology(size), &options, |_| {})?;
        let up = begin.elapsed();
        let memory = used();
        let total = free.saturating_sub(available());
        let begin = Instant::now();
        lab.down(|_| {})?;
        println!(
            "{size} machines: up in {up:.1?}, processes use {memory} MB, this computer has {total} MB less, down in {:.1?}",
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

/// Memory of the lab's processes in MB, pages that several share counted once.
fn used() -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if read("cgroup").contains("bramble-lab/measure/") {
            let rollup = read("smaps_rollup");
            let pss = rollup.lines().find_map(|l| l.strip_prefix("Pss:"));
            let number = pss.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
            sum += number.unwrap_or(0);
        }
    }
    sum / 1024
}

/// Memory that programs could still have, in MB.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}
