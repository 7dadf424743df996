//! Wrong endpoints, upgrades, snapshots and care of nodes.

use super::{Case, HEAD, ONE, key, planes, section};

/// A file with one key of `kubernetes.upgrade`.
fn upgrade(more: &str) -> String {
    section(&format!("kubernetes: {{upgrade: {{{more}}}}}"))
}

fn kubelet(more: &str) -> String {
    section(&format!("kubernetes: {{kubelet: {{{more}}}}}"))
}

fn snapshots(more: &str) -> String {
    section(&format!("etcd: {{snapshots: {{{more}}}}}"))
}

/// A bucket that is right but for what is given.
fn s3(more: &str) -> String {
    let sound = [("endpoint", "\"https://s3.example\""), ("bucket", "backups"), ("credentialsFile", "s3.key")];
    let rest: String = sound
        .iter()
        .filter(|(key, _)| !more.contains(&format!("{key}:")))
        .map(|(key, value)| format!(", {key}: {value}"))
        .collect();
    snapshots(&format!("s3: {{{more}{rest}}}"))
}

pub fn cases() -> Vec<Case> {
    [endpoint_cases(), upgrade_cases(), etcd_cases(), care_cases()].concat()
}

fn endpoint_cases() -> Vec<Case> {
    vec![
        ("two-endpoints", planes("{kubeVip: 10.77.0.10, external: \"api.example:6443\"}").replace("kubeVip", "«kubeVip»"), "both `external` and `kubeVip`", "keep `external`"),
        ("out-of-range", planes("{vip: 10.77.0.10, vrrpId: «0»}"), "`kubernetes.endpoint.vrrpId` can't be 0", "from 1 to 255"),
        ("out-of-range", planes("{vip: 10.77.0.10, vrrpId: «256»}"), "`kubernetes.endpoint.vrrpId` can't be 256", "from 1 to 255"),
        ("vip-taken", planes("{kubeVip: «10.77.0.13»}"), "10.77.0.13 is that of `three`", "no machine has"),
        ("vip-port", planes("{vip: «\"10.77.0.10:10250\"»}"), "the kubelet has it on every control plane", "leave the port out"),
        ("vip-port", planes("{vip: «\"10.77.0.10:2379\"»}"), "etcd has it on every control plane", "or choose another"),
        ("vip-outside-lan", planes("{kubeVip: «10.79.0.1»}"), "10.79.0.1 is outside the LAN", "next to 10.77.0.11"),
    ]
}

fn upgrade_cases() -> Vec<Case> {
    vec![
        ("out-of-range", upgrade("maxUnavailable: «0»"), "`kubernetes.upgrade.maxUnavailable` can't be 0", "from 1 to 1000"),
        ("no-worker-away", upgrade("maxUnavailable: «\"0%\"»"), "an upgrade would never reach them", "from 1 up"),
        ("bad-share", upgrade("maxUnavailable: «\"101%\"»"), "`101%` is neither a number of workers nor a share", "from 1% to 100%"),
        ("bad-share", upgrade("maxUnavailable: «\"2.5%\"»"), "`2.5%` is neither", "whole percentage"),
        ("bad-share", upgrade("maxUnavailable: «\"3\"»"), "`3` is neither", "without quotes"),
        ("wrong-type", upgrade("maxUnavailable: «true»"), "`kubernetes.upgrade.maxUnavailable` takes", ""),
        ("bad-duration", upgrade("drainTimeout: «\"300\"»"), "`300` is not a length of time", "such as 90s or 5m"),
        ("bad-duration", upgrade("drainTimeout: «5min»"), "`5min` is not a length of time", "s, m, h or d"),
        ("bad-duration", upgrade("drainTimeout: «0s»"), "`0s` is not a length of time", "a number"),
        ("duration-range", upgrade("drainTimeout: «2d»"), "2d can't be the time that pods have", "from 1s to 1d"),
        ("wrong-type", upgrade("drainTimeout: «301»"), "`kubernetes.upgrade.drainTimeout` takes text", "quotes"),
    ]
}

fn etcd_cases() -> Vec<Case> {
    vec![
        ("wrong-type", section("etcd: {snapshots: «6h»}"), "`etcd.snapshots` takes true or false or a section", ""),
        ("duration-range", snapshots("every: «5m»"), "5m can't be the time between two snapshots", "from 10m to 7d"),
        ("duration-range", snapshots("every: «8d»"), "8d can't be", "from 10m to 7d"),
        ("bad-duration", snapshots("every: «daily»"), "`daily` is not a length of time", "such as 90s"),
        ("out-of-range", snapshots("keep: «0»"), "`etcd.snapshots.keep` can't be 0", "from 1 to 1000"),
        ("out-of-range", snapshots("keep: «1001»"), "can't be 1001", "from 1 to 1000"),
        ("missing-key", snapshots("s3: «{endpoint: \"https://s3.example\", bucket: backups}»"), "`etcd.snapshots.s3` has no `credentialsFile`", "secret key in its second"),
        ("bad-s3-endpoint", s3("endpoint: «s3.example»"), "`s3.example` is not the URL of an S3 service", "https://s3.example.org"),
        ("secret-in-url", s3("endpoint: «\"https://me:secret@s3.example\"»"), "the URL of an S3 service holds", "without a password"),
        ("s3-endpoint-path", s3("endpoint: «\"https://s3.example/backups\"»"), "more than the address of an S3 service", "the bucket goes to `bucket`"),
        ("s3-in-clear", s3("endpoint: «\"http://s3.example\"»"), "without encryption", "use https://"),
        ("s3-in-clear", s3("endpoint: «\"http://203.0.113.5:9000\"»"), "`http://203.0.113.5:9000` without encryption", "private address"),
        ("bad-bucket", s3("bucket: «My_Backups»"), "`My_Backups` can't be the name of a bucket", "lower-case"),
        ("bad-bucket", s3("bucket: «10.0.0.1»"), "`10.0.0.1` can't be the name of a bucket", "no address"),
        ("bad-prefix", s3("prefix: «/home»"), "can't begin with `/home`", "clusters/home"),
        ("bad-prefix", s3("prefix: «a/../b»"), "can't begin with `a/../b`", "slashes between them"),
        ("bad-region", s3("region: «Frankfurt am Main»"), "`Frankfurt am Main` is not a region", "eu-central-1"),
        ("unknown-key", section("etcd: {snapshots: {s3: {endpoint: \"https://s3.example\", bucket: backups, «credentials»: s3.key}}}"), "unknown key `credentials` in `etcd.snapshots.s3`", "did you mean `credentialsFile`?"),
        ("bad-path", s3("credentialsFile: «-o»"), "`-o` can't be a path", "relative to this file"),
    ]
}

fn care_cases() -> Vec<Case> {
    vec![
        ("image-gc-order", kubelet("imageGC: {high: 70, low: «70»}"), "from 70 percent of the disk down to 70", "less than `high`"),
        ("image-gc-order", kubelet("imageGC: {low: «90»}"), "from 85 percent of the disk down to 90", "less than `high`"),
        ("out-of-range", kubelet("imageGC: {high: «101»}"), "`kubernetes.kubelet.imageGC.high` can't be 101", "from 2 to 100"),
        ("unknown-key", kubelet("«imageGc»: {high: 70}"), "unknown key `imageGc` in `kubernetes.kubelet`", "did you mean `imageGC`?"),
        ("out-of-range", kubelet("logs: {maxFiles: «1»}"), "`kubernetes.kubelet.logs.maxFiles` can't be 1", "from 2 to 100"),
        ("bad-size", kubelet("logs: {maxSize: «10MB»}"), "`10MB` is not a size of a container's log", "Ki, Mi or Gi"),
        ("size-range", kubelet("logs: {maxSize: «2Gi»}"), "2Gi can't be the size of a container's log", "from 64Ki to 1Gi"),
        ("bad-size", section("defaults: {journal: {maxSize: «200M»}}"), "`200M` is not a size of the journal", "such as 200Mi"),
        ("size-range", key("journal: {maxSize: «1Mi»}"), "1Mi can't be the size of the journal", "from 16Mi to 64Gi"),
        ("missing-key", section("defaults: {journal: «{}»}"), "`defaults.journal` has no `maxSize`", "what is older goes"),
        ("unknown-swap", key("swap: «on»"), "unknown choice about swap `on`", "known are: off, keep"),
        ("wrong-type", key("swap: «false»"), "`machines[1].swap` takes", ""),
        ("bad-size", key("swap: {size: «1G»}"), "`1G` is not a size of swap", "Ki, Mi or Gi"),
        ("size-range", section("defaults: {swap: {size: «1Ki»}}"), "1Ki can't be the size of swap", "from 16Mi to 64Gi"),
        ("page-size", key("hugepages: {«4Mi»: 1}"), "no processor has large pages of `4Mi`", "2Mi"),
        ("page-size", section("defaults: {hugepages: {«2M»: 1}}"), "no processor has large pages of `2M`", "known are: 64Ki"),
        ("out-of-range", key("hugepages: {2Mi: «-1»}"), "can't be -1", "from 0"),
        ("pages-without-pods", format!("{HEAD}  network: {{lan: 10.77.0.0/24}}\n  machines:\n  - {{name: gate, roles: [router], address: 192.168.1.2, «hugepages»: {{2Mi: 1}}}}\n{ONE}"), "`gate` runs none", "role worker"),
    ]
}
