//! The router tells the time to those behind it, and to nobody else.

use bramble_tests::Site;

/// Asks a server for the time without setting the clock.
fn ask(site: &Site, machine: &str, server: &str) -> bramble_tests::Done {
    let program = format!("chronyd -Q -t 8 'server {server} iburst'");
    site.try_on(machine, &program)
}

pub fn the_router_tells_the_time(site: &Site) {
    for machine in ["guest", "outsider"] {
        site.on(machine, "command -v chronyd >/dev/null || { apt-get -qq update && apt-get -qq -y --no-install-recommends install chrony; }");
    }
    let told = ask(site, "guest", &site.address("gate")).expect(0);
    told.says("System clock wrong by");
    ask(site, "outsider", &site.outside()).says("Timeout reached");
}
