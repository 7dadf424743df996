//! Rules for lengths of time and sizes.

use super::Resolver;
use crate::cluster::Size;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use std::ops::RangeInclusive;
use std::time::Duration;

impl Resolver<'_> {
    /// A length of time between two others, given as they are written; `noun` names it in messages.
    pub(super) fn duration(
        &mut self,
        text: &str,
        path: &[Seg],
        noun: &str,
        (least, most): (&str, &str),
    ) -> Option<Duration> {
        let Some(time) = syntax::duration(text) else {
            self.report(
                "bad-duration",
                path,
                format!("`{}` is not a length of time for {noun}", shorten(text)),
                "write a number and its unit (s, m, h or d), such as 90s or 5m",
            );
            return None;
        };
        let low = syntax::duration(least).unwrap_or_default();
        let high = syntax::duration(most).unwrap_or(Duration::MAX);
        if !(low..=high).contains(&time) {
            self.report(
                "duration-range",
                path,
                format!("{text} can't be {noun}"),
                format!("use a time from {least} to {most}"),
            );
            return None;
        }
        Some(time)
    }

    /// A number of bytes in a range; `noun` names it in messages.
    pub(super) fn size(
        &mut self,
        text: &str,
        path: &[Seg],
        noun: &str,
        range: &RangeInclusive<Size>,
    ) -> Option<Size> {
        let Some(size) = syntax::size(text) else {
            self.report(
                "bad-size",
                path,
                format!("`{}` is not a size of {noun}", shorten(text)),
                "write a whole number and its unit (Ki, Mi or Gi), such as 200Mi",
            );
            return None;
        };
        if !range.contains(&size) {
            self.report(
                "size-range",
                path,
                format!("{text} can't be the size of {noun}"),
                format!("use a size from {} to {}", range.start(), range.end()),
            );
            return None;
        }
        Some(size)
    }
}
