//! URLs of functions: their own addresses on the web.

use serde::{Deserialize, Serialize};

use crate::app::events::{HttpCors, UrlAccess};
use crate::names::Address;

pub mod aws;

/// A function's URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrl {
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// Who may call it.
    pub access: UrlAccess,
    /// Who of another origin may call it from a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<HttpCors>,
}

/// What AWS told us about a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The function's name in AWS.
    pub function_name: String,
    /// The URL.
    pub url: String,
}
