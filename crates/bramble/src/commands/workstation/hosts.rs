//! A block of lines in `/etc/hosts`; every other byte of the file stays.

use crate::error::{CliError, Explain};
use rustix::fs::{Gid, Uid, XattrFlags};
use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The file.
pub const PATH: &str = "/etc/hosts";

/// What is found of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The lines between its markers.
    Lines(String),
    /// Markers that don't belong together.
    Broken,
}

fn markers(cluster: &str) -> [String; 2] {
    ["begin", "end"].map(|side| format!("# bramble workstation {cluster} {side}\n"))
}

/// Where the block is: its first byte, its lines, the byte after it.
fn find(bytes: &[u8], cluster: &str) -> Result<Option<[usize; 4]>, ()> {
    let [begin, end] = markers(cluster);
    let at = |marker: &str| -> Vec<usize> {
        let marker = marker.as_bytes();
        let line_begins = |i: usize| i == 0 || bytes[i - 1] == b'\n';
        (0..bytes.len())
            .filter(|i| line_begins(*i) && bytes[*i..].starts_with(marker))
            .collect()
    };
    match (at(&begin).as_slice(), at(&end).as_slice()) {
        ([], []) => Ok(None),
        ([from], [to]) if from < to => Ok(Some([*from, from + begin.len(), *to, to + end.len()])),
        _ => Err(()),
    }
}

/// What the file holds of a cluster.
pub fn found(bytes: &[u8], cluster: &str) -> Found {
    match find(bytes, cluster) {
        Err(()) => Found::Broken,
        Ok(None) => Found::Nothing,
        Ok(Some([_, from, to, _])) => {
            Found::Lines(String::from_utf8_lossy(&bytes[from..to]).into_owned())
        }
    }
}

/// The file with the block: in its place, or at the end. Says whether a line break had to be put before
/// it, because the file ended without one.
pub fn with(bytes: &[u8], cluster: &str, lines: &str) -> Result<(Vec<u8>, bool), CliError> {
    let place = find(bytes, cluster).map_err(|()| broken(cluster))?;
    let [begin, end] = markers(cluster);
    let (before, after, gap) = match place {
        Some([from, _, _, to]) => (&bytes[..from], &bytes[to..], false),
        None => (
            bytes,
            &bytes[bytes.len()..],
            !bytes.is_empty() && !bytes.ends_with(b"\n"),
        ),
    };
    let mut out = before.to_vec();
    if gap {
        out.push(b'\n');
    }
    for part in [&begin, lines, &end] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(after);
    Ok((out, gap))
}

/// The file without the block, and without the line break that was put before it; `None` if it has none.
pub fn without(bytes: &[u8], cluster: &str, gap: bool) -> Result<Option<Vec<u8>>, CliError> {
    let Some([from, _, _, to]) = find(bytes, cluster).map_err(|()| broken(cluster))? else {
        return Ok(None);
    };
    let mut before = &bytes[..from];
    // Something that was added behind the block needs its line break now.
    if gap && to == bytes.len() {
        before = before.strip_suffix(b"\n").unwrap_or(before);
    }
    Ok(Some([before, &bytes[to..]].concat()))
}

fn broken(cluster: &str) -> CliError {
    let [begin, end] = markers(cluster);
    CliError::failed(format!(
        "the marks of {cluster} in {PATH} are damaged: there must be one line `{}` and, after it, one `{}`",
        begin.trim(),
        end.trim()
    ))
    .hint(format!("remove what is left of them from {PATH}, then try again"))
}

/// Reads the file; one that is absent is empty.
pub fn read() -> Result<Vec<u8>, CliError> {
    match std::fs::read(PATH) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(CliError::failed(format!("can't read {PATH}: {error}"))),
    }
}

/// Replaces the file by a new one with its owner, mode and label, so that no program ever reads half of
/// it. A symbolic link stays, the file that it leads to is replaced.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let what = || format!("can't write {}", path.display());
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let old = std::fs::metadata(&target).ok();
    match replace(&target, old.as_ref(), bytes) {
        Ok(()) => Ok(()),
        // A container's file may be mounted by itself: it can't be replaced, only written.
        Err(error) if old.is_some() && mounted(&error) => {
            let mut file = File::options()
                .write(true)
                .truncate(true)
                .open(&target)
                .explain(what())?;
            file.write_all(bytes).explain(what())?;
            file.sync_all().explain(what())
        }
        Err(error) => Err(CliError::failed(format!("{}: {error}", what()))),
    }
}

fn mounted(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(
        error.kind(),
        CrossesDevices | PermissionDenied | ReadOnlyFilesystem | ResourceBusy
    )
}

fn replace(target: &Path, old: Option<&Metadata>, bytes: &[u8]) -> std::io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mode = old.map_or(0o644, |m| m.permissions().mode() & 0o7777);
    let mut file = tempfile::Builder::new()
        .prefix(".bramble-")
        .tempfile_in(folder)?;
    if let Some(old) = old {
        let (user, group) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        rustix::fs::fchown(file.as_file(), Some(user), Some(group))?;
        copy_label(target, file.as_file());
    }
    // After the owner: a change of owner takes bits away.
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|e| e.error)?;
    // The name itself is on the disk once its folder is.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// SELinux's, where there is one.
fn copy_label(from: &Path, to: &File) {
    let name = "security.selinux";
    let mut label = [0u8; 512];
    if let Ok(length) = rustix::fs::getxattr(from, name, &mut label[..]) {
        let _ = rustix::fs::fsetxattr(to, name, &label[..length], XattrFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "10.77.0.11\tone.c.internal one\n";

    #[test]
    fn a_block_comes_and_goes_without_a_trace() {
        for text in [
            "",
            "127.0.0.1\tlocalhost\n",
            "127.0.0.1 localhost",
            "127.0.0.1 localhost\r\n\r\n# odd \t\n\n\n",
            "# bramble workstation other begin\n1.2.3.4 x\n# bramble workstation other end\n",
            "# bramble workstation c begin, as a remark\n",
        ] {
            for bytes in [
                text.as_bytes().to_vec(),
                [text.as_bytes(), b"\xff\xfe\n"].concat(),
            ] {
                let (new, gap) = with(&bytes, "c", LINES).expect("a block");
                assert_eq!(found(&new, "c"), Found::Lines(LINES.into()), "{text:?}");
                assert!(new.starts_with(&bytes));
                assert_eq!(with(&new, "c", LINES).expect("again"), (new.clone(), false));
                let (more, _) = with(&new, "c", "1.1.1.1 y\n").expect("another block");
                assert_eq!(found(&more, "c"), Found::Lines("1.1.1.1 y\n".into()));
                assert_eq!(without(&more, "c", gap).expect("gone"), Some(bytes.clone()));
                assert_eq!(without(&bytes, "c", gap).expect("nothing"), None);
            }
        }
    }

    #[test]
    fn what_others_add_stays() {
        let (new, gap) = with(b"a", "c", LINES).expect("a block");
        let added = [&new[..], b"1.1.1.1 later\n"].concat();
        let left = without(&added, "c", gap).expect("gone");
        assert_eq!(left.as_deref(), Some(&b"a\n1.1.1.1 later\n"[..]));
    }

    #[test]
    fn damaged_marks_are_left_alone() {
        let [begin, end] = markers("c");
        for text in [
            begin.clone(),
            end.clone(),
            format!("{end}{begin}"),
            format!("{begin}{begin}{end}"),
        ] {
            assert_eq!(found(text.as_bytes(), "c"), Found::Broken);
            assert!(with(text.as_bytes(), "c", LINES).is_err());
            assert!(without(text.as_bytes(), "c", false).is_err());
        }
    }

    #[test]
    fn a_file_keeps_its_mode_and_links_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("hosts"));
        std::fs::write(&real, "old").expect("written");
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o664)).expect("a mode");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        write(&link, b"new").expect("written");
        assert_eq!(std::fs::read_to_string(&real).expect("a file"), "new");
        assert!(
            std::fs::symlink_metadata(&link)
                .expect("a link")
                .is_symlink()
        );
        let mode = std::fs::metadata(&real)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o664);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            2
        );
    }
}
