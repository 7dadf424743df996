//! One press, one cluster: `bramble serve` and `bramble button simulate`, and nothing else.

use bramble_tests::daemon::PASSWORD;
use bramble_tests::{Daemon, Running};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Where the API of the cluster at a display's end is: the display has no room for `https://`.
fn answers(address: &str) -> bool {
    let asked = Command::new("curl")
        .args([
            "-sk",
            "--max-time",
            "20",
            &format!("https://{address}/readyz"),
        ])
        .output();
    asked.is_ok_and(|asked| asked.stdout == b"ok")
}

/// The numbers that the bar went through.
fn percents(said: &str) -> Vec<u8> {
    let words = said.lines().filter_map(|line| line.strip_suffix(" %"));
    let numbers = words.filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    numbers.collect()
}

/// What a person has with the button alone: a press makes a real cluster, and a long one takes it down. The daemon is
/// killed on the way: what it has accepted goes on, and a second press follows it.
#[test]
fn a_press_makes_a_cluster_and_a_long_one_takes_it_down() {
    let mut daemon = Daemon::new("t-dash", 17_443);
    let settings = daemon.button("t-dash-by-the-door");

    let pressed = daemon.press(&settings, "short");
    let begun = |run: &Value| run["percent"].as_u64().is_some_and(|p| p >= 20);
    let clusters = bramble_tests::wait::answer("a cluster", bramble_tests::program::LIMIT, || {
        let all = daemon.api("GET", "/clusters", None);
        match all.as_array().is_some_and(|all| !all.is_empty()) {
            true => Ok(all),
            false => Err("none yet".into()),
        }
    });
    let name = clusters[0]["name"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("t-dash-by-the-door-2"), "{name}");
    let run = format!("{name}-1");
    daemon.until_run("a fifth is done", &run, begun);
    daemon.kill();
    // Its broker is gone with it: the button says so, or sleeps.
    pressed.finish();
    daemon.start();

    let done = daemon.press(&settings, "short").finish().expect(0);
    let bar = percents(&done.stdout);
    assert!(bar.len() > 5, "it moves: {bar:?}");
    assert!(bar.is_sorted(), "never back: {bar:?}");
    assert_eq!(bar.last(), Some(&100));
    done.says(" on control-1").says("is ready.");
    let last = done.stdout.lines().last().unwrap_or_default();
    let address = last.split_whitespace().find(|word| word.ends_with(":6443"));
    let address = address.unwrap_or_else(|| panic!("no address in {last:?}"));
    assert!(answers(address), "{address}");
    let runs = daemon.api("GET", "/runs", None);
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    assert_eq!(runs[0]["by"], json!({ "button": "t-dash-by-the-door" }));

    // The same cluster for people.
    let url = daemon.url();
    let password = daemon.write("password", &format!("{PASSWORD}\n"));
    let ca = daemon.authority();
    let login = ["login", &url, "--ca", &ca.display().to_string()];
    let login = [
        &login[..],
        &[
            "--user",
            "anna",
            "--password-file",
            &password.display().to_string(),
        ],
    ];
    daemon.bramble(&login.concat()).expect(0).says("logged in");
    let status = daemon.bramble(&["--cluster", &name, "status"]).expect(0);
    status.says("all is well").says("control-1");
    daemon
        .bramble(&["--cluster", &name, "plan", "--exit-code"])
        .expect(0)
        .says("nothing to do");
    daemon
        .bramble(&["--cluster", &name, "ssh", "control-1"])
        .expect(2);

    let gone = daemon.press(&settings, "long").finish().expect(0);
    gone.says("Press to confirm").says("is removed.");
    assert!(daemon.labs().is_empty(), "{:?}", daemon.labs());
    assert!(!answers(address), "{address}");
    let cluster = daemon.api("GET", &format!("/clusters/{name}"), None);
    assert_eq!(cluster["phase"], "Gone");
    daemon.bramble(&["logout", &url]).expect(0);
    daemon
        .bramble(&["--cluster", &name, "status"])
        .expect(2)
        .says("nobody is logged in");
}

/// The same in the browser: logged in, pressed, watched, taken down. What the browser does is `web/e2e/real.test.js`.
#[test]
fn a_press_in_the_browser_makes_a_cluster() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    for (path, remedy) in [
        (web.join("node_modules/playwright-core"), "make web"),
        ("/usr/bin/chromium".into(), "scripts/setup.sh --test"),
    ] {
        let missing = format!("{} is missing; remedy: {remedy}", path.display());
        assert!(path.exists(), "{missing}");
    }
    let daemon = Daemon::new("t-hall", 17_450);
    daemon.button("t-hall");
    let mut browser = Command::new("node");
    browser
        .args(["--test", "--test-reporter=spec", "e2e/real.test.js"])
        .current_dir(web)
        .env("BRAMBLE_URL", daemon.url())
        .env("BRAMBLE_BUTTON", "t-hall")
        .env("BRAMBLE_PASSWORD", PASSWORD);
    Running::start(&mut browser).finish().expect(0);
    let clusters = daemon.api("GET", "/clusters", None);
    assert_eq!(clusters[0]["phase"], "Gone", "{clusters}");
    assert!(daemon.labs().is_empty(), "{:?}", daemon.labs());
}
