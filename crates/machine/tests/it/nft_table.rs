//! Packet rules of our own, in a real nftables and with a systemd that knows one kind of unit.

use crate::cycle::{Case, TIMER, apply, armed, due, fails, take_back, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::NftTable;

/// Enough of systemctl for units of type oneshot that stay active.
const SYSTEMCTL: &str = r#"cat >/usr/local/bin/systemctl <<'EOF'
#!/bin/sh
verb='' now='' units=''
for a; do
	case $a in
	--now) now=1 ;;
	-* | *,*) ;;
	*) if [ -z "$verb" ]; then verb=$a; else units="$units $a"; fi ;;
	esac
done
mkdir -p /run/units
wants=/etc/systemd/system/sysinit.target.wants
lines() {
	mkdir -p "/run/$(sed -n 's/^RuntimeDirectory=//p' $f)"
	sed -n "s/^Exec$1=//p" $f | while read -r l; do sh -c "${l#-}" || exit; done
}
for u in $units; do
	f=/etc/systemd/system/$u
	case $verb in
	show)
		load=not-found active=inactive state=''
		if [ -e $f ]; then load=loaded state=disabled; fi
		[ ! -e /run/units/$u ] || active=active
		[ ! -L $wants/$u ] || state=enabled
		printf 'Id=%s\nNames=%s\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n\n' $u $u $load $active $state
		;;
	is-enabled)
		[ -L $wants/$u ] || exit 1
		;;
	enable) mkdir -p $wants && ln -sf $f $wants/$u ;;
	disable)
		rm -f $wants/$u
		rmdir $wants 2>/dev/null
		if [ -n "$now" ] && [ -e /run/units/$u ]; then
			lines Stop
			rm -f /run/units/$u
		fi
		;;
	reload-or-restart)
		if [ -e /run/units/$u ]; then lines Reload; else lines Start; fi || exit 1
		: >/run/units/$u
		;;
	esac
done
exit 0
EOF
chmod 0755 /usr/local/bin/systemctl
mkdir -p /etc/systemd/system
"#;

const RULES: &str = "\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tiifname { \"lo\", \"eth0\" } accept\n\t\ttcp dport { 22, 80-90 } counter accept\n\t}\n";

fn table(rules: &str) -> NftTable {
    NftTable {
        name: "bramble-x".into(),
        title: "a trial".into(),
        rules: rules.into(),
        advice: "open the door".into(),
    }
}

fn in_force(m: &Machine) -> String {
    m.hand("nft -s list table inet bramble-x 2>/dev/null || echo none")
}

/// What is in force, and the file.
fn both(m: &Machine) -> (String, String) {
    (in_force(m), m.hand("cat /etc/bramble-x.nft"))
}

#[test]
fn rules_are_loaded_missed_and_taken_away() {
    let table = table(RULES);
    Case::new(SYSTEMCTL, &table)
        .drift(&[
            ("nft flush ruleset", "load again"),
            ("nft flush chain inet bramble-x input", "load again"),
            (
                "nft add rule inet bramble-x input tcp dport 23 accept",
                "load again",
            ),
            (
                "echo '# mine' >>/etc/bramble-x.nft",
                "bramble-x.nft: content differs",
            ),
            (
                "/usr/local/bin/systemctl disable bramble-x.service",
                "load at boot",
            ),
            (
                "rm /etc/systemd/system/bramble-x.service /run/units/*",
                "bramble-x.service: new file, load",
            ),
        ])
        .run(|m| {
            let rules = in_force(m);
            assert!(rules.contains("80-90") && !rules.contains("23"), "{rules}");
        });
}

#[test]
fn other_tables_are_left_alone() {
    let Some(m) = Machine::new(SYSTEMCTL) else {
        return;
    };
    let other = "table ip kube-proxy {\n\tchain x {\n\t\ttcp dport 30080 accept\n\t}\n}\n";
    m.hand(&format!("nft -f - <<'E'\n{other}E"));
    apply(&m, &table(RULES));
    let new = table(&RULES.replace("22", "2222"));
    assert!(due(&m, &new).diff.is_some_and(|d| d.contains("2222")));
    apply(&m, &new);
    assert!(in_force(&m).contains("2222"));
    assert_eq!(m.hand("nft list table ip kube-proxy"), other);
    undo_all(&m);
    assert_eq!(m.hand("nft list ruleset"), other);
}

#[test]
fn rules_that_nftables_does_not_take_change_nothing() {
    let Some(m) = Machine::new(SYSTEMCTL) else {
        return;
    };
    apply(&m, &table(RULES));
    let before = both(&m);
    let said = fails(&m, &table("\tchain input { no such rule }\n"));
    assert!(said.contains("syntax error"), "{said}");
    assert_eq!(both(&m), before);
}

/// What the machine does by itself when nobody confirms.
#[test]
fn the_guard_brings_back_what_was_in_force() {
    let Some(m) = Machine::new(&format!("{SYSTEMCTL}{TIMER}")) else {
        return;
    };

    // New: it goes as if it had never been.
    let guard = armed(&m, &table(RULES));
    assert_eq!(guard.advice, "open the door");
    assert!(in_force(&m).contains("80-90"));
    take_back(&m);
    assert_eq!(in_force(&m), "none\n");
    assert_eq!(m.differences(), [] as [&str; 0]);

    // Changed: the old file comes back, and what was in force, which somebody had changed by hand.
    apply(&m, &table(RULES));
    m.hand("nft flush table inet bramble-x; nft add rule inet bramble-x input tcp dport 99 accept");
    let before = both(&m);
    armed(&m, &table(&RULES.replace("80-90", "81")));
    assert!(in_force(&m).contains("81"));
    take_back(&m);
    assert_eq!(both(&m), before);
    assert!(due(&m, &table(RULES)).summary.contains("load again"));

    // Repaired: what was missing is missing once more.
    apply(&m, &table(RULES));
    m.hand("nft flush ruleset");
    armed(&m, &table(RULES));
    assert!(in_force(&m).contains("80-90"));
    take_back(&m);
    assert!(!in_force(&m).contains("dport"));
    apply(&m, &table(RULES));
    undo_all(&m);
}
