//! `cargo run -p bramble-bundle --example build_debian [FOLDER [AS_VERSION]]`: makes the Debian bundle.
#![allow(clippy::print_stdout)]

use bramble_bundle::{Bundle, DEBIAN_CACHE, DEBIAN_VERSION, Event, Source, build, parse_version};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next();
    let as_version = args.next().map(|text| parse_version(&text)).transpose()?;
    let named = as_version.unwrap_or(DEBIAN_VERSION);
    let dir = dir.unwrap_or(format!("/var/cache/bramble/bundles/debian-{named}"));
    let source = Source::Debian {
        cache: DEBIAN_CACHE.into(),
        as_version,
    };
    let bundle: Bundle = build(source, DEBIAN_VERSION, &[], &dir, |event| match event {
        Event::Output { .. } => {}
        event => println!("{event:?}"),
    })
    .await?;
    for artefact in &bundle.index().artefacts {
        println!("{:>10} {}", artefact.size(), artefact.name());
    }
    println!("{}", bundle.dir().display());
    Ok(())
}
