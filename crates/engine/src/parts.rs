//! The programs of a step, made from its changes.

use crate::plan::{Item, StepPlan};
use bramble_machine::journal::Line;
use bramble_machine::program::{self, Guarded, Part};

/// A step's programs: what can cut the connection ends one, so that it is confirmed before anything
/// that takes its time.
pub(crate) fn chunks(step: &StepPlan) -> Vec<StepPlan> {
    let last = step
        .items
        .iter()
        .rposition(|i| i.change.guard.is_some() && !step.undo);
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

/// Makes the first change that can cut the connection arm the timer that takes it back; its place.
pub(crate) fn arm(step: &StepPlan, parts: &mut [Part], nonce: &str) -> Option<usize> {
    let guarded = |item: &Item| item.change.guard.is_some() && !step.undo;
    let first = step.items.iter().position(guarded)?;
    let part = parts.get_mut(first)?;
    let changes: Vec<Guarded> = step
        .items
        .iter()
        .filter_map(|item| {
            Some(Guarded {
                id: item.id.as_str(),
                undo: &item.change.undo,
                guard: item.change.guard.as_ref()?,
            })
        })
        .collect();
    let mut apply = program::arm(&changes, nonce);
    apply.extend(&part.apply);
    part.apply = apply;
    Some(first)
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
