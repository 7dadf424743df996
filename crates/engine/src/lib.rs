//! Observe, plan, run: journal, events, facts and locks.
