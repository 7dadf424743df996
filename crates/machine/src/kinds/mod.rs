//! The resource kinds, one file each.

use crate::{Observation, Script};
use serde::{Deserialize, Serialize};

pub mod action;
pub mod apt_mirror;
pub mod apt_source;
pub mod archive;
pub mod binary;
pub mod block;
pub mod cmdline;
pub mod directory;
pub mod file;
pub mod filesystem;
pub mod hostname;
pub mod huge_pages;
pub mod image;
pub mod interface;
pub mod keys;
pub mod link;
pub mod minted;
pub mod modules;
pub mod mount;
pub mod nft_table;
pub mod package;
pub mod service;
pub mod sudo;
pub mod swap;
pub mod swap_file;
pub mod sysctl;
pub mod timezone;
pub mod user;

pub use action::{Action, Check};
pub use apt_mirror::AptMirror;
pub use apt_source::AptSource;
pub use archive::Archive;
pub use binary::Binary;
pub use block::{Block, Position};
pub use cmdline::CmdlineWords;
pub use directory::Directory;
pub use file::{Content, File};
pub use filesystem::FileSystem;
pub use hostname::HostName;
pub use huge_pages::HugePages;
pub use image::ContainerImage;
pub use interface::Interface;
pub use keys::AuthorizedKeys;
pub use link::Link;
pub use minted::{Holder, Minted, MintedFile};
pub use modules::Modules;
pub use mount::Mount;
pub use nft_table::NftTable;
pub use package::Packages;
pub use service::Service;
pub use sudo::SudoRule;
pub use swap::SwapOff;
pub use swap_file::SwapFile;
pub use sysctl::Sysctl;
pub use timezone::TimeZone;
pub use user::User;

/// What a plan says when nothing differs but a change was begun and not finished.
const UNFINISHED: &str = "finish an interrupted change";

/// A UUID that is the same in every run, made of names.
fn uuid(names: &[&str]) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(format!("bramble {}", names.join("\n")));
    let mut bytes: [u8; 16] = std::array::from_fn(|i| hash[i]);
    // Version 8, the free one.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// How to undo a resource, as of its first change.
fn recorded<'a>(seen: &'a Observation, id: &str) -> Option<&'a Undo> {
    seen.journal.find(id).map(|record| &record.undo)
}

/// Adds what is in `later` but not yet in `first`.
fn add_missing<T: Clone>(first: &mut Vec<T>, later: &[T], same: impl Fn(&T, &T) -> bool) {
    for item in later {
        if !first.iter().any(|known| same(known, item)) {
            first.push(item.clone());
        }
    }
}

/// How a resource is undone: all that is needed, without the cluster file that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Undo {
    /// Of [`File`] and [`SudoRule`].
    File(file::Undo),
    /// Of [`Packages`].
    Packages(package::Undo),
    /// Of [`Service`].
    Service(service::Undo),
    /// Of [`Action`].
    Action(action::Undo),
    /// Of [`Binary`].
    Binary(binary::Undo),
    /// Of [`ContainerImage`].
    Image(image::Undo),
    /// Of [`AptMirror`].
    AptMirror(apt_mirror::Undo),
    /// Of [`AptSource`].
    AptSource(apt_source::Undo),
    /// Of [`Archive`].
    Archive(archive::Undo),
    /// Of [`Block`].
    Block(block::Undo),
    /// Of [`CmdlineWords`].
    Cmdline(cmdline::Undo),
    /// Of [`Directory`].
    Directory(directory::Undo),
    /// Of [`HostName`].
    HostName(hostname::Undo),
    /// Of [`HugePages`].
    HugePages(huge_pages::Undo),
    /// Of [`Interface`].
    Interface(interface::Undo),
    /// Of [`AuthorizedKeys`].
    Keys(keys::Undo),
    /// Of [`Link`].
    Link(link::Undo),
    /// Of [`Minted`].
    Minted(minted::Undo),
    /// Of [`Modules`].
    Modules(modules::Undo),
    /// Of [`Mount`].
    Mount(mount::Undo),
    /// Of [`NftTable`].
    NftTable(nft_table::Undo),
    /// Of [`SwapOff`].
    Swap(swap::Undo),
    /// Of [`SwapFile`].
    SwapFile(swap_file::Undo),
    /// Of [`Sysctl`].
    Sysctl(sysctl::Undo),
    /// Of [`TimeZone`].
    TimeZone(timezone::Undo),
    /// Of [`User`].
    User(user::Undo),
}

impl Undo {
    /// The shell that undoes; may be run again after it was cut off.
    pub fn script(&self) -> Script {
        match self {
            Undo::File(u) => u.script(),
            Undo::Packages(u) => u.script(),
            Undo::Service(u) => u.script(),
            Undo::Action(u) => u.script(),
            Undo::Binary(u) => u.script(),
            Undo::Image(u) => u.script(),
            Undo::AptMirror(u) => u.script(),
            Undo::AptSource(u) => u.script(),
            Undo::Archive(u) => u.script(),
            Undo::Block(u) => u.script(),
            Undo::Cmdline(u) => u.script(),
            Undo::Directory(u) => u.script(),
            Undo::HostName(u) => u.script(),
            Undo::HugePages(u) => u.script(),
            Undo::Interface(u) => u.script(),
            Undo::Keys(u) => u.script(),
            Undo::Link(u) => u.script(),
            Undo::Minted(u) => u.script(),
            Undo::Modules(u) => u.script(),
            Undo::Mount(u) => u.script(),
            Undo::NftTable(u) => u.script(),
            Undo::Swap(u) => u.script(),
            Undo::SwapFile(u) => u.script(),
            Undo::Sysctl(u) => u.script(),
            Undo::TimeZone(u) => u.script(),
            Undo::User(u) => u.script(),
        }
    }

    /// What has to run once everything else of the step is undone, such as the restart of a
    /// service whose configuration is the original again.
    pub fn finally(&self) -> Script {
        match self {
            Undo::NftTable(u) => u.finally(),
            Undo::Service(u) => u.finally(),
            _ => Script::new(),
        }
    }

    /// Whether something that runs may still need it until the machine is what it should be: an image that
    /// a newer one takes the place of.
    pub fn is_last(&self) -> bool {
        matches!(self, Undo::Image(_))
    }

    /// What is lost when it is undone and can't be had back.
    pub fn destroys(&self) -> Option<String> {
        match self {
            Undo::Action(u) => u.destroys.clone(),
            Undo::Minted(u) => u.destroys(),
            Undo::User(u) => u.destroys(),
            _ => None,
        }
    }

    /// One line for the plan.
    pub fn summary(&self) -> String {
        match self {
            Undo::File(u) => u.summary(),
            Undo::Packages(u) => u.summary(),
            Undo::Service(u) => u.summary(),
            Undo::Action(u) => u.summary(),
            Undo::Binary(u) => u.summary(),
            Undo::Image(u) => u.summary(),
            Undo::AptMirror(u) => u.summary(),
            Undo::AptSource(u) => u.summary(),
            Undo::Archive(u) => u.summary(),
            Undo::Block(u) => u.summary(),
            Undo::Cmdline(u) => u.summary(),
            Undo::Directory(u) => u.summary(),
            Undo::HostName(u) => u.summary(),
            Undo::HugePages(u) => u.summary(),
            Undo::Interface(u) => u.summary(),
            Undo::Keys(u) => u.summary(),
            Undo::Link(u) => u.summary(),
            Undo::Minted(u) => u.summary(),
            Undo::Modules(u) => u.summary(),
            Undo::Mount(u) => u.summary(),
            Undo::NftTable(u) => u.summary(),
            Undo::Swap(u) => u.summary(),
            Undo::SwapFile(u) => u.summary(),
            Undo::Sysctl(u) => u.summary(),
            Undo::TimeZone(u) => u.summary(),
            Undo::User(u) => u.summary(),
        }
    }

    /// What holds when a resource is changed again: the first original stays, except where the
    /// later way to undo covers more.
    #[must_use]
    pub fn or_later(self, later: Undo) -> Undo {
        match (self, later) {
            // An action's undo is a program, and the newest one knows best; so it is with the lines
            // of a block.
            (Undo::Action(_), later @ Undo::Action(_))
            | (Undo::Minted(_), later @ Undo::Minted(_))
            | (Undo::Block(_), later @ Undo::Block(_)) => later,
            (Undo::AptMirror(first), Undo::AptMirror(later)) => {
                Undo::AptMirror(first.merge(&later))
            }
            (Undo::AptSource(first), Undo::AptSource(later)) => {
                Undo::AptSource(first.merge(&later))
            }
            (Undo::Cmdline(first), Undo::Cmdline(later)) => Undo::Cmdline(first.merge(&later)),
            (Undo::Directory(first), Undo::Directory(later)) => {
                Undo::Directory(first.merge(&later))
            }
            (Undo::HugePages(first), Undo::HugePages(later)) => {
                Undo::HugePages(first.merge(&later))
            }
            (Undo::Interface(first), Undo::Interface(later)) => {
                Undo::Interface(first.merge(&later))
            }
            (Undo::Keys(first), Undo::Keys(later)) => Undo::Keys(first.merge(&later)),
            (Undo::Modules(first), Undo::Modules(later)) => Undo::Modules(first.merge(&later)),
            (Undo::Packages(first), Undo::Packages(later)) => Undo::Packages(first.merge(&later)),
            (Undo::Mount(first), Undo::Mount(later)) => Undo::Mount(first.merge(&later)),
            (Undo::Swap(first), Undo::Swap(later)) => Undo::Swap(first.merge(&later)),
            (Undo::Sysctl(first), Undo::Sysctl(later)) => Undo::Sysctl(first.merge(&later)),
            (Undo::User(first), Undo::User(later)) => Undo::User(first.merge(&later)),
            (first, _) => first,
        }
    }
}
