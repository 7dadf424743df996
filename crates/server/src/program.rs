//! The program itself, as the daemon starts it.

use std::path::Path;
use std::process::Command;

/// What tells `bramble` to have a daemon do the work: this one would ask itself, or another, for ever.
const ELSEWHERE: [&str; 3] = ["BRAMBLE_SERVER", "BRAMBLE_CLUSTER", "BRAMBLE_TOKEN"];

/// `bramble`, which does the work itself, whatever the environment of the daemon says.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command
}
