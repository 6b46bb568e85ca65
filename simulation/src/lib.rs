//! A network of validators on a deterministic runtime.
