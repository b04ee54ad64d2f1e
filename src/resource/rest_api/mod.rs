//! The REST API of a stage.

pub mod document;
