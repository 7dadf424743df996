//! Package archives.

use crate::cycle::{Case, apply, fails, plan, refused, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::{AptMirror, AptSource};

/// A small archive on the machine itself.
const ARCHIVE: &str = "mkdir -p /srv/a/dists/bookworm/main/binary-amd64; : > /srv/a/dists/bookworm/main/binary-amd64/Packages
cd /srv/a; printf 'Package: hello-bramble\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example>\\nFilename: x.deb\\nSize: 1\\nSHA256: 0000000000000000000000000000000000000000000000000000000000000000\\nDescription: x\\n' > Packages
cp Packages dists/bookworm/main/binary-amd64/Packages
rm -f /var/cache/apt/*.bin
";

#[test]
fn an_archive_comes_and_goes() {
    let mut source = AptSource::new("local", "file:/srv/a", "./").key("-----BEGIN PGP x");
    source.fields.push(("Trusted".into(), "yes".into()));
    Case::new(ARCHIVE, &source)
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
            m.hand("rm -f /var/cache/apt/*.bin");
        });
    let Some(m) = Machine::new("") else { return };
    let said = fails(&m, &AptSource::new("gone", "file:/srv/nothing", "./"));
    assert!(said.contains("/srv/nothing"), "{said}");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn a_mirror_takes_the_archives_place() {
    let lists = "rm -f /etc/apt/sources.list.d/* /var/lib/apt/lists/*_*
cat > /etc/apt/sources.list <<'E'
# deb http://deb.debian.org/debian bookworm main
deb [trusted=yes allow-insecure=yes]  http://deb.debian.org/debian/ bookworm main # http://deb.debian.org/debian
E
cat > /etc/apt/sources.list.d/debian.sources <<'E'
Types: deb
URIs:  http://ftp.de.debian.org/debian
  https://deb.debian.org/debian
Suites: bookworm
Components: main
Trusted: yes
Allow-Insecure: yes

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
        .drift(&[("echo 'deb [trusted=yes allow-insecure=yes] http://deb.debian.org/debian bookworm main' > /etc/apt/sources.list.d/x.list", "sources.list.d/x.list")][..0])
        .remains(&["/var/lib/apt/lists/lock", "/var/cache/apt/pkgcache.bin", "/var/cache/apt/srcpkgcache.bin"])
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/apt/sources.list; grep -A1 URIs /etc/apt/sources.list.d/debian.sources"),
                "# deb http://deb.debian.org/debian bookworm main\ndeb [trusted=yes allow-insecure=yes]  file:/srv/a bookworm main # file:/srv/a\nURIs:  file:/srv/a\n  file:/srv/a\n--\nURIs: http://security.debian.org/debian-security http://third.example/debian\nSuites: bookworm-security\n"
            );
        });
    // Another mirror later, and a new file with the old address.
    let Some(m) = Machine::new(&prepare) else {
        return;
    };
    apply(&m, &mirror);
    m.hand("cp -a /srv/a /srv/b; echo 'deb [trusted=yes allow-insecure=yes] http://deb.debian.org/debian bookworm main' > /etc/apt/sources.list.d/x.list");
    let other = AptMirror::new("file:/srv/b");
    apply(&m, &other);
    assert_eq!(m.hand("grep -rlF file:/srv/b /etc/apt/sources.list* | sort | wc -l; grep -rlF file:/srv/a /etc/apt/sources.list* || :"), "3\n");
    assert!(plan(&m, &other).expect("a plan").is_none());
    assert!(refused(&m, &AptMirror::new("mirror example")).contains("no address"));
}
