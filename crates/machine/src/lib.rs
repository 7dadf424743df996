//! Resource kinds: what to read, how to compare, the shell that applies and undoes.
