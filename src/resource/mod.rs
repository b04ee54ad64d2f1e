//! What stands in AWS: one room a kind.

pub mod rest_api;
