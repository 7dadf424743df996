//! Rules for what keeps a node fit: limits of the kubelet and the journal, swap, large pages.

use super::machines::Known;
use super::{Resolver, route};
use crate::cluster::{ImageGc, Kubelet, Size, Swap};
use crate::file::Machine;
use crate::file::care as written;
use crate::problem::{Place, Problem};
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The kubelet's own. It is late for a small disk: at the same 85 percent a node is under disk pressure.
/// But earlier is worse where images come from a bundle and can't be pulled: kubelets before 1.28.2, and
/// all with Debian 12's containerd, don't heed that those are pinned, and take what nothing uses just now.
const IMAGE_GC_HIGH: u8 = 85;
/// How much lower it goes than where it begins; the kubelet's own too.
const IMAGE_GC_STEP: u8 = 5;
/// The kubelet's own.
const LOG_SIZE: Size = Size::mebi(10);
/// The kubelet's own.
const LOG_FILES: u16 = 5;
const LOG_SIZES: RangeInclusive<Size> = Size::of(64 << 10)..=Size::mebi(1 << 10);
/// Of the journal and of swap.
const DISK_SIZES: RangeInclusive<Size> = Size::mebi(16)..=Size::mebi(64 << 10);
/// Sizes of large pages of the processors that Bramble knows, with each size of their small pages.
const PAGES: [&str; 6] = ["64Ki", "2Mi", "32Mi", "512Mi", "1Gi", "16Gi"];

/// What a machine or the defaults say; `None` = nothing.
#[derive(Default)]
pub(super) struct Care {
    pub journal: Option<Size>,
    pub swap: Option<Swap>,
    pub hugepages: Option<BTreeMap<Size, u32>>,
}

impl Resolver<'_> {
    pub(super) fn kubelet(&mut self, written: Option<&written::Kubelet>) -> Kubelet {
        let image_gc = written.and_then(|k| k.image_gc.as_ref());
        let image_gc = image_gc.map(|written| self.image_gc(written));
        let logs = written.and_then(|k| k.logs.clone()).unwrap_or_default();
        let path = route!["spec", "kubernetes", "kubelet", "logs", "maxSize"];
        let size = logs.max_size.as_deref();
        let size = size.and_then(|text| self.size(text, &path, "a container's log", &LOG_SIZES));
        Kubelet {
            image_gc,
            log_size: size.unwrap_or(LOG_SIZE),
            log_files: logs.max_files.unwrap_or(LOG_FILES),
        }
    }

    fn image_gc(&mut self, written: &written::ImageGc) -> ImageGc {
        let at = |key: &str| route!["spec", "kubernetes", "kubelet", "imageGC", key];
        let begin = written.high.unwrap_or(IMAGE_GC_HIGH);
        let end = written.low;
        let end = end.unwrap_or(begin.saturating_sub(IMAGE_GC_STEP).max(1));
        let gc = ImageGc {
            high: begin,
            low: end,
        };
        if end < begin || self.lost(&at("high")) || self.lost(&at("low")) {
            return gc;
        }
        let mut problem = Problem::new(
            "image-gc-order",
            self.place(&at("low")),
            format!("images can't be removed from {begin} percent of the disk down to {end}"),
        )
        .hint("give `low` less than `high`");
        if written.high.is_some() {
            problem = problem.related(self.place(&at("high")), "where it begins");
        }
        self.push(problem);
        gc
    }

    /// What `defaults` say, checked once however many machines follow them.
    pub(super) fn usual_care(&mut self) -> Care {
        let usual = self.spec.defaults.clone().unwrap_or_default();
        self.care(
            usual.journal.as_ref(),
            usual.swap.as_ref(),
            usual.hugepages.as_ref(),
            &route!["spec", "defaults"],
        )
    }

    /// What a machine says itself, else what is usual.
    pub(super) fn machine_care(&mut self, machine: &Machine, known: &Known, usual: &Care) -> Care {
        if machine.hugepages.is_some() && !known.is_node() {
            let place = self.key_place(&known.path("hugepages"));
            let message = format!(
                "large pages are for pods, and {} runs none",
                Self::called(known)
            );
            self.push(
                Problem::new("pages-without-pods", place, message)
                    .hint("remove it, or give the machine the role worker"),
            );
        }
        let own = self.care(
            machine.journal.as_ref(),
            machine.swap.as_ref(),
            machine.hugepages.as_ref(),
            &route!["spec", "machines", known.index],
        );
        Care {
            journal: own.journal.or(usual.journal),
            swap: own.swap.or(usual.swap),
            hugepages: own.hugepages.or_else(|| usual.hugepages.clone()),
        }
    }

    fn care(
        &mut self,
        journal: Option<&written::Journal>,
        swap: Option<&written::Swap>,
        hugepages: Option<&BTreeMap<String, u32>>,
        section: &[Seg],
    ) -> Care {
        let size = journal.and_then(|journal| journal.max_size.as_deref());
        Care {
            journal: size.and_then(|text| {
                let path = below(section, &["journal", "maxSize"]);
                self.size(text, &path, "the journal", &DISK_SIZES)
            }),
            swap: swap.map(|swap| self.swap(swap, section)),
            hugepages: hugepages.map(|pages| self.hugepages(pages, section)),
        }
    }

    fn swap(&mut self, swap: &written::Swap, section: &[Seg]) -> Swap {
        let size = match swap {
            written::Swap::Word(written::SwapWord::Off) => return Swap::Off,
            written::Swap::Word(written::SwapWord::Keep) => return Swap::Keep,
            written::Swap::File(file) => file.size.as_deref(),
        };
        let path = below(section, &["swap", "size"]);
        let size = size.and_then(|text| self.size(text, &path, "swap", &DISK_SIZES));
        size.map_or(Swap::Off, Swap::File)
    }

    fn hugepages(&mut self, pages: &BTreeMap<String, u32>, section: &[Seg]) -> BTreeMap<Size, u32> {
        let mut out = BTreeMap::new();
        for (text, count) in pages {
            match PAGES.contains(&text.as_str()).then(|| syntax::size(text)) {
                // None of a size and nothing said about it is the same.
                Some(Some(_)) if *count == 0 => {}
                Some(Some(size)) => {
                    out.insert(size, *count);
                }
                _ => {
                    let place = self.key_place(&below(section, &["hugepages", text]));
                    self.page_size(text, place);
                }
            }
        }
        out
    }

    fn page_size(&mut self, text: &str, place: Place) {
        let what = format!("no processor has large pages of `{}`", shorten(text));
        let known = PAGES.join(", ");
        let hint = format!("known are: {known}; most processors have 2Mi and 1Gi");
        self.push(Problem::new("page-size", place, what).hint(hint));
    }
}

fn below(section: &[Seg], keys: &[&str]) -> Vec<Seg> {
    let keys = keys.iter().map(|key| Seg::from(*key));
    section.iter().cloned().chain(keys).collect()
}
