//! Real Debian machines on this computer, by systemd-nspawn.
