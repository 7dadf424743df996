//! The memory control group, which kernels of Raspberry Pis keep off until they are told (U044).

use crate::context::On;
use bramble_machine::Script;
use bramble_machine::kinds::{Action, Check};
use bramble_machine::shell::word;

/// Whether the machine is a node, and its memory control group was seen to be off.
pub(super) fn off(on: &On) -> bool {
    on.machine.is_node() && !on.facts.cgroup_memory
}

/// Ends with 0 once the control group is on. With version 2 the first file decides: newer kernels
/// name in the second only what version 1 could have.
const IS_ON: &str = "if [ -e /sys/fs/cgroup/cgroup.controllers ]; then grep -qw memory /sys/fs/cgroup/cgroup.controllers; else grep -q '^memory[[:space:]].*[[:space:]]1$' /proc/cgroups; fi";

/// Keeps a run from going on to what can't work without it: the kubelet doesn't start. What comes
/// before, the words of the kernel's command line among it, has been made by then.
pub(super) fn on_before(on: &On) -> Action {
    let name = &on.machine.name;
    let say = |text: String| format!("echo {}", word(text));
    let mut run = Script::of("if grep -qw cgroup_enable=memory /proc/cmdline; then");
    run.line(say(
        "the memory control group is off, though the kernel was told cgroup_enable=memory: this kernel has none; install one that has (CONFIG_MEMCG)".into(),
    ));
    run.line("elif [ -e /boot/firmware/cmdline.txt ] || [ -e /boot/cmdline.txt ]; then");
    run.line(say(format!(
        "the memory control group is off until the machine restarts: bramble fleet reboot --machine {name}, then up again"
    )));
    run.line("else");
    run.line(say(format!(
        "the memory control group is off: add cgroup_enable=memory to the kernel's command line where the boot loader has it, then bramble fleet reboot --machine {name}, then up again"
    )));
    run.line("fi\nexit 1");
    Action::new(
        "memory-cgroup",
        "see that the memory control group is on (it was off: a restart is needed)",
        Check::Succeeds(IS_ON.into()),
        run,
    )
}
