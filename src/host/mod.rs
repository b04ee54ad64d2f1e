//! Where we run: so far, a person's shell.

pub mod terminal;
