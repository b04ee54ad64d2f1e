//! Layers that we make of an app's dependencies.

use serde::{Deserialize, Serialize};

use crate::app::Architecture;

pub mod aws;

/// A version of a layer. It never changes: another content is another version, at another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The layer's name in AWS.
    pub name: String,
    /// SHA-256 of its zip, in hexadecimal digits.
    pub code: String,
    /// Lambda's name of the runtime that it is for.
    pub runtime: String,
    /// CPU architecture that it is for.
    pub architecture: Architecture,
}

/// What AWS told us about a version of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its ARN, with the version.
    pub arn: String,
}
