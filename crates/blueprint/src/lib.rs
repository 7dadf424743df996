//! What every machine and API of a cluster should be: the one ordered list of steps.
