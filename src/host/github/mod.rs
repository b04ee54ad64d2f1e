//! GitHub Actions as the host of a run.

pub mod event;
