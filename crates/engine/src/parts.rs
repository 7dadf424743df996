//! The programs of a step, made from its changes.

use crate::plan::{Item, StepPlan};
use bramble_machine::journal::Line;
use bramble_machine::program::{self, Part};

/// A step's programs: what can cut the connection ends one, so that it is confirmed before anything
/// that takes its time.
pub(crate) fn chunks(step: &StepPlan) -> Vec<StepPlan> {
    let last = step
        .items
        .iter()
        .rposition(|i| i.change.disruptive && !step.undo);
    let Some(end) = last
        .map(|index| index + 1)
        .filter(|end| *end < step.items.len())
    else {
        return vec![step.clone()];
    };
    let with = |items: &[Item]| StepPlan {
        items: items.to_vec(),
        ..step.clone()
    };
    vec![with(&step.items[..end]), with(&step.items[end..])]
}

/// Makes the first change that can cut the connection arm the timer that takes it back.
pub(crate) fn arm(step: &StepPlan, parts: &mut [Part], nonce: &str) -> bool {
    let risky: Vec<_> = step
        .items
        .iter()
        .filter(|i| i.change.disruptive && !step.undo)
        .collect();
    let first = step
        .items
        .iter()
        .position(|i| i.change.disruptive && !step.undo);
    let Some(part) = first.and_then(|index| parts.get_mut(index)) else {
        return false;
    };
    let changes: Vec<_> = risky
        .iter()
        .map(|i| (i.id.as_str(), &i.change.undo))
        .collect();
    let mut apply = program::arm(&changes, nonce);
    apply.extend(&part.apply);
    part.apply = apply;
    true
}

/// What one change is in a program: journal line, shell, journal line.
pub(crate) fn part(step: &StepPlan, item: &Item) -> Part {
    let id = item.id.clone();
    if step.undo {
        return Part {
            id: id.clone(),
            apply: item.change.apply.clone(),
            begin: None,
            end: Line::Gone { id },
        };
    }
    let begin = Line::Begin {
        id: id.clone(),
        step: step.name.clone(),
        undo: item.change.undo.clone(),
    };
    Part {
        id: id.clone(),
        apply: item.change.apply.clone(),
        begin: Some(begin),
        end: Line::Done { id },
    }
}
