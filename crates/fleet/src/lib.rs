//! SSH to many machines: pools, jump hosts, agent, known hosts.
