//! Files, folders, links and blocks.

use crate::cycle::{Case, apply, carry_out, due, fails, plan, refused, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::{Binary, Block, Content, Directory, File, Link};
use bramble_machine::{Change, Resource, Verb};

#[test]
fn a_file_comes_and_goes() {
    let file = File::new("/etc/x.conf", Content::Text("a\nb\n".into()), 0o640);
    Case::new("", &file)
        .drift(&[
            ("echo c >> /etc/x.conf", "content differs"),
            ("chmod 0666 /etc/x.conf", "mode 0666 → 0640"),
            ("chown 1:1 /etc/x.conf", "owner daemon:daemon → root:root"),
            ("rm /etc/x.conf", "new file"),
            (
                "rm /etc/x.conf; ln -s /etc/passwd /etc/x.conf",
                "is not a regular file",
            ),
        ])
        .run(|m| {
            assert_eq!(
                m.hand("stat -c '%a %U:%G' /etc/x.conf; cat /etc/x.conf"),
                "640 root:root\na\nb\n"
            )
        });
}

#[test]
fn a_file_gives_its_original_back() {
    let bytes = Content::Bytes(vec![0, 255, b'\'', b'\n', 7]);
    Case::new(
        "printf 'old, no end of line' > /etc/x; chmod 0600 /etc/x; chown daemon:adm /etc/x; touch -d 2001-02-03T04:05:06 /etc/x",
        &File::new("/etc/x", bytes, 0o644),
    )
    .drift(&[("echo other > /etc/x", "content differs")])
    .run(|_| {});
    // A link that was in the file's place comes back as a link.
    Case::new("ln -s /nowhere /etc/x", &File::text("/etc/x", "new\n")).run(|_| {});
}

#[test]
fn a_file_is_refused_or_fails_with_a_reason() {
    let Some(m) = Machine::new("mkdir /etc/x; echo old > /etc/y") else {
        return;
    };
    let said = refused(&m, &File::text("/etc/x", ""));
    assert!(
        said.contains("a folder is in the place") && said.contains("mv /etc/x"),
        "{said}"
    );
    let checked =
        File::text("/etc/y", "bad").checked("grep -q good \"$new\" || { echo no good; exit 1; }");
    assert_eq!(fails(&m, &checked), "no good");
    assert_eq!(m.hand("cat /etc/y"), "old\n", "the old file stays");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn a_secret_is_in_no_plan_and_no_journal() {
    let Some(m) = Machine::new("") else { return };
    let secret = File::new(
        "/etc/key",
        Content::Secret(bramble_secret::Secret::new("hunter2")),
        0o600,
    );
    let change = apply(&m, &secret);
    assert!(!format!("{change:?}{secret:?}").contains("hunter2"));
    assert_eq!(
        m.hand("cat /etc/key; grep -rl hunter2 /var/lib/bramble || :"),
        "hunter2"
    );
}

#[test]
fn a_program_from_the_bundle() {
    use sha2::Digest;
    let text = "#!/bin/sh\necho 1\n";
    let sha256 = hex::encode(sha2::Sha256::digest(text));
    let binary = Binary {
        path: "/usr/local/bin/x".into(),
        size: text.len() as u64,
        mode: 0o755,
        version: "v1".into(),
        sha256: sha256.clone(),
    };
    let Some(m) = Machine::new("echo old > /usr/local/bin/x") else {
        return;
    };
    let upload = format!(
        "mkdir -p /var/lib/bramble/blobs; printf '#!/bin/sh\\necho 1\\n' > /var/lib/bramble/blobs/{sha256}"
    );
    assert_eq!(
        due(&m, &binary).uploads[0].to,
        format!("/var/lib/bramble/blobs/{sha256}")
    );
    m.hand(&upload);
    apply(&m, &binary);
    assert!(plan(&m, &binary).expect("a plan").is_none());
    assert_eq!(m.hand("/usr/local/bin/x"), "1\n");
    // The same size and time, another content: the inode tells.
    m.hand("t=$(stat -c %y /usr/local/bin/x); sed -i s/1/2/ /usr/local/bin/x; touch -d \"$t\" /usr/local/bin/x");
    m.hand(&upload);
    apply(&m, &binary);
    assert_eq!(m.hand("/usr/local/bin/x"), "1\n");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn a_folder_comes_and_goes() {
    let folder = Directory::new("/srv/a/b/c")
        .mode(0o750)
        .owner("daemon", "adm");
    Case::new("", &folder)
        .drift(&[
            ("chmod 0777 /srv/a/b/c", "mode 0777 → 0750"),
            ("rmdir /srv/a/b/c", "new folder"),
        ])
        .run(|m| {
            assert_eq!(
                m.hand("stat -c '%a %U:%G' /srv/a/b/c /srv/a"),
                "750 daemon:adm\n755 root:root\n"
            )
        });
    let there = Directory::new("/srv/a").mode(0o700);
    Case::new("mkdir -m 1777 /srv/a; chgrp adm /srv/a", &there).run(|_| {});
    let linked = Directory::new("/srv/l").mode(0o700);
    Case::new("mkdir /srv/a; ln -s a /srv/l", &linked).run(|m| {
        assert_eq!(m.hand("stat -c %a /srv/a"), "700\n");
    });
}

#[test]
fn what_others_put_into_a_folder_stays() {
    let Some(m) = Machine::new("mkdir /srv/old; echo 1 > /srv/old/x") else {
        return;
    };
    let (plain, own) = (
        Directory::new("/srv/plain"),
        Directory::new("/srv/own").owned(),
    );
    let old = Directory::new("/srv/old").mode(0o700).owned();
    let all: [&dyn Resource; 3] = [&plain, &own, &old];
    for folder in all {
        apply(&m, folder);
    }
    m.hand("echo 1 > /srv/plain/x; mkdir /srv/own/y; echo 1 > /srv/own/y/x; echo 2 > /srv/old/y");
    undo_all(&m);
    assert_eq!(
        m.hand("cd /srv; find . -type f | sort"),
        "./old/x\n./old/y\n./plain/x\n"
    );
    m.hand("echo file > /srv/file");
    let said = refused(&m, &Directory::new("/srv/file"));
    assert!(said.contains("in the place of the folder"), "{said}");
}

/// A folder that is managed itself doesn't go with one in it, though neither was there when both were planned.
#[test]
fn a_folder_stays_when_one_in_it_goes() {
    let Some(m) = Machine::new("") else {
        return;
    };
    let (outer, inner) = (Directory::new("/srv/a/b"), Directory::new("/srv/a/b/c/d"));
    let changes = [due(&m, &outer), due(&m, &inner)];
    for (folder, change) in [&outer, &inner].iter().zip(&changes) {
        carry_out(&m, &folder.id(), change, "", "");
    }
    let back = Change::new(
        Verb::Remove,
        "",
        changes[1].undo.script(),
        changes[1].undo.clone(),
    );
    carry_out(&m, "directory:/srv/a/b/c/d", &back, "", "");
    m.hand("[ -d /srv/a/b ] && [ ! -e /srv/a/b/c ]");
    undo_all(&m);
    m.hand("[ ! -e /srv/a ]");
}

#[test]
fn a_link_comes_and_goes() {
    let link = Link::new("/etc/l", "../somewhere/it's");
    Case::new("", &link)
        .drift(&[
            ("ln -sfn /x /etc/l", "/x → ../somewhere/it's"),
            ("rm /etc/l; echo 1 > /etc/l", "a file becomes a link"),
            ("rm /etc/l", "new link"),
        ])
        .run(|m| assert_eq!(m.hand("readlink /etc/l"), "../somewhere/it's\n"));
    Case::new("echo old > /etc/l; touch -d 2001-01-01 /etc/l", &link).run(|_| {});
    Case::new("ln -s other /etc/l", &link).run(|_| {});
    let Some(m) = Machine::new("mkdir /etc/l") else {
        return;
    };
    assert!(refused(&m, &link).contains("a folder is in the place"));
}

#[test]
fn a_block_leaves_the_rest_alone() {
    let block = Block::new("/etc/x", "hosts", "1.2.3.4 one\n# $HOME 'quoted' \\n\n");
    let text = "# bramble:hosts begin\n1.2.3.4 one\n# $HOME 'quoted' \\n\n# bramble:hosts end\n";
    for old in ["a\\nb\\n", "a\\nb", "", "\\n", "a\\r\\n\\001\\377\\n\\n"] {
        let prepare = format!(
            "printf '{old}' > /etc/x; chmod 0640 /etc/x; chgrp adm /etc/x; touch -d 2001-02-03 /etc/x"
        );
        Case::new(&prepare, &block)
            .drift(&[
                ("sed -i s/one/two/ /etc/x", "the block differs"),
                ("sed -i '/bramble:hosts end/d' /etc/x", "markers"),
                ("sed -i '/bramble:hosts begin/d' /etc/x", "markers"),
            ])
            .run(|m| assert!(m.hand("stat -c '%a %G' /etc/x; cat /etc/x").ends_with(text)));
    }
}

#[test]
fn a_block_makes_its_file_only_if_asked() {
    let block = Block::new("/etc/x", "b", "text");
    Case::new("", &block.clone().creating())
        .drift(&[("rm /etc/x", "add the block")])
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/x"),
                "# bramble:b begin\ntext\n# bramble:b end\n"
            )
        });
    let Some(m) = Machine::new("") else { return };
    assert_eq!(fails(&m, &block), "/etc/x does not exist");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn a_block_stands_before_a_line() {
    let block = Block::new("/etc/x", "b", "text")
        .before("Match ")
        .comment(";");
    Case::new("printf 'a\\nMatch all\\nMatch b' > /etc/x", &block).run(|m| {
        assert_eq!(
            m.hand("cat /etc/x"),
            "a\n; bramble:b begin\ntext\n; bramble:b end\nMatch all\nMatch b"
        );
    });
}

#[test]
fn edits_by_others_outlive_a_block() {
    let Some(m) = Machine::new("printf 'a\\nb' > /etc/x; ln -s x /etc/y") else {
        return;
    };
    let one = Block::new("/etc/x", "one", "1");
    let two = Block::new("/etc/x", "two", "2");
    let linked = Block::new("/etc/y", "three", "3");
    let all: [&dyn Resource; 3] = [&one, &two, &linked];
    for block in all {
        apply(&m, block);
    }
    for block in all {
        assert!(plan(&m, block).expect("a plan").is_none());
    }
    m.hand("sed -i 's/^a$/A/' /etc/x; echo c >> /etc/x");
    undo_all(&m);
    assert_eq!(m.hand("cat /etc/x; readlink /etc/y"), "A\nb\nc\nx\n");
}

#[test]
fn lines_of_others_in_a_broken_block_stay() {
    let Some(m) = Machine::new("echo a > /etc/x") else {
        return;
    };
    let block = Block::new("/etc/x", "b", "ours");
    apply(&m, &block);
    m.hand("sed -i '/end$/d' /etc/x; echo theirs >> /etc/x");
    apply(&m, &block);
    assert_eq!(
        m.hand("cat /etc/x"),
        "a\ntheirs\n# bramble:b begin\nours\n# bramble:b end\n"
    );
    m.hand("sed -i '/end$/d' /etc/x; echo more >> /etc/x");
    undo_all(&m);
    assert_eq!(m.hand("cat /etc/x"), "a\ntheirs\nmore\n");
}
