//! Tells cargo that the program holds the web page. It builds nothing: `make web` does.

use std::path::Path;

fn main() {
    let page = Path::new("../../web");
    let built = page.join("dist");
    // A folder that isn't there would count as changed each time; the one around it tells when it comes.
    let watched = if built.exists() { &built } else { page };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");
}
