//! Package archives.

use crate::cycle::{Case, apply, fails, plan, refused, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::{AptMirror, AptSource};

/// What apt makes for itself.
const CACHES: &[&str] = &[
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
];

/// A small archive on the machine itself.
const ARCHIVE: &str = "rm -f /var/cache/apt/*.bin /var/lib/apt/lists/*_*
mkdir -p /srv/a/dists/bookworm/main/binary-$(dpkg --print-architecture)
cd /srv/a/dists/bookworm
cat > /srv/a/Packages <<'E'
Package: hello-bramble
Version: 1
Architecture: all
Maintainer: x <x@example>
Filename: x.deb
Size: 1
SHA256: 0000000000000000000000000000000000000000000000000000000000000000
Description: x
E
f=main/binary-$(dpkg --print-architecture)/Packages
cp /srv/a/Packages $f
printf 'Suite: bookworm\nCodename: bookworm\nSHA256:\n %s %s %s\n' $(sha256sum < $f | cut -c1-64) $(wc -c < $f) $f > Release
";

#[test]
fn an_archive_comes_and_goes() {
    let mut source = AptSource::new("local", "file:/srv/a", "./").key("-----BEGIN PGP x");
    source.fields.push(("Trusted".into(), "yes".into()));
    Case::new(ARCHIVE, &source)
        .remains(CACHES)
        .drift(&[(
            "rm /etc/apt/keyrings/bramble-local.asc",
            "bramble-local.asc: new file",
        )])
        .run(|m| {
            let said = m.hand(
                "apt-cache policy hello-bramble; cat /etc/apt/sources.list.d/bramble-local.sources",
            );
            assert!(
                said.contains("Candidate: 1")
                    && said.contains("Signed-By: /etc/apt/keyrings/bramble-local.asc"),
                "{said}"
            );
        });
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &AptSource::new("gone", "file:/srv/nothing", "./"));
    assert!(said.contains("/srv/nothing"), "{said}");
    undo_all(&m);
    let mut left = m.differences();
    left.retain(|line| !CACHES.iter().any(|c| line.ends_with(c)));
    assert_eq!(left, [] as [String; 0]);
}

#[test]
fn a_mirror_takes_the_archives_place() {
    let lists = "rm -f /etc/apt/sources.list.d/*
cat > /etc/apt/sources.list <<'E'
# deb http://deb.debian.org/debian bookworm main
deb [trusted=yes]  http://deb.debian.org/debian/ bookworm main # http://deb.debian.org/debian
E
cat > /etc/apt/sources.list.d/debian.sources <<'E'
Types: deb
URIs:  http://ftp.de.debian.org/debian
  https://deb.debian.org/debian
Suites: bookworm
Components: main
Trusted: yes

Types: deb
Enabled: no
URIs: http://security.debian.org/debian-security http://third.example/debian
Suites: bookworm-security
Components: main
E
touch -d 2001-02-03 /etc/apt/sources.list
";
    let prepare = format!("{ARCHIVE}{lists}");
    let mirror = AptMirror::new("file:/srv/a");
    Case::new(&prepare, &mirror)
        .remains(CACHES)
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/apt/sources.list; grep -A1 URIs /etc/apt/sources.list.d/debian.sources"),
                "# deb http://deb.debian.org/debian bookworm main\ndeb [trusted=yes]  file:/srv/a bookworm main # file:/srv/a\nURIs:  file:/srv/a\n  file:/srv/a\n--\nURIs: http://security.debian.org/debian-security http://third.example/debian\nSuites: bookworm-security\n"
            );
        });
    // Another mirror later, and a new file with the old address.
    let Some(m) = Machine::new(&prepare) else {
        return;
    };
    apply(&m, &mirror);
    m.hand("cp -a /srv/a /srv/b; echo 'deb [trusted=yes] http://deb.debian.org/debian bookworm main' > /etc/apt/sources.list.d/x.list");
    let other = AptMirror::new("file:/srv/b");
    apply(&m, &other);
    assert_eq!(m.hand("grep -rlF file:/srv/b /etc/apt/sources.list* | sort | wc -l; grep -rlF file:/srv/a /etc/apt/sources.list* || :"), "3\n");
    assert!(plan(&m, &other).expect("a plan").is_none());
    assert!(refused(&m, &AptMirror::new("mirror example")).contains("no address"));
}

#[test]
fn what_the_operator_writes_beside_a_mirror_stays() {
    let prepare = format!(
        "{ARCHIVE}
rm -f /etc/apt/sources.list.d/*
mkdir -p /srv/lists
printf '%s\\n' 'deb [trusted=yes] http://ftp.de.debian.org/debian bookworm main' '# two' >/srv/lists/main
ln -s ../../srv/lists/main /etc/apt/sources.list.new
mv -f /etc/apt/sources.list.new /etc/apt/sources.list
printf 'Types: deb\\nURIs: http://deb.debian.org/debian\\nSuites: bookworm\\nComponents: main\\nTrusted: yes\\n' >/etc/apt/sources.list.d/d.sources
echo 'deb [trusted=yes] http://deb.debian.org/debian bookworm main' >/etc/apt/sources.list.d/gone.list
cp -a /srv/a /srv/b"
    );
    let Some(m) = Machine::new(&prepare) else {
        return;
    };
    apply(&m, &AptMirror::new("file:/srv/a"));
    m.hand(
        "cd /etc/apt
echo 'deb [trusted=yes] file:/srv/third ./' >>sources.list
echo 'deb [trusted=yes] http://deb.debian.org/debian bookworm-backports main' >>sources.list
sed -i 's/^Components: main/& contrib/; s/^URIs:.*/& http:\\/\\/third.example\\/debian/' sources.list.d/d.sources
sed -i --follow-symlinks '1i deb [trusted=yes] file:/srv/a bookworm-updates main' sources.list
rm sources.list.d/gone.list",
    );
    // Another mirror, and a try that is cut off between two files.
    let other = AptMirror::new("file:/srv/b");
    let change = crate::cycle::due(&m, &other);
    crate::cycle::carry_out(
        &m,
        "apt-mirror:bramble",
        &change,
        "mv() { command mv \"$@\"; exit 9; }",
        "",
    );
    m.hand("grep -q file:/srv/b /etc/apt/sources.list; grep -q file:/srv/a /etc/apt/sources.list.d/d.sources");
    undo_all(&m);
    assert_eq!(
        m.hand("cat /srv/lists/main /etc/apt/sources.list.d/d.sources"),
        "deb [trusted=yes] http://ftp.de.debian.org/debian bookworm-updates main
deb [trusted=yes] http://ftp.de.debian.org/debian bookworm main
# two
deb [trusted=yes] file:/srv/third ./
deb [trusted=yes] http://ftp.de.debian.org/debian bookworm-backports main
Types: deb
URIs: http://deb.debian.org/debian http://third.example/debian
Suites: bookworm
Components: main contrib
Trusted: yes
"
    );
    assert_eq!(
        m.hand("readlink /etc/apt/sources.list; ls /etc/apt/sources.list.d; ls /srv/lists"),
        "../../srv/lists/main\nd.sources\nmain\n"
    );
}
