//! One request to GitHub, and its answer. Octocrab carries it, with neither its retries nor its reading of answers.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use octocrab::Octocrab;
use serde_json::Value;

use crate::variable::Secret;

/// How long one request may take, from the first byte sent to the last one read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a request means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Makes something new.
    Post,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
}

/// What came back, whatever it says.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether more pages follow.
    /// See <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>.
    pub fn has_next_page(&self) -> bool {
        self.header("link").is_some_and(|link| link.contains("rel=\"next\""))
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// Nothing could be sent at all, and why.
    Unsent(String),
    /// Nobody listens there, and how that was noticed.
    Refused(String),
    /// The connection broke, and how.
    Cut(String),
    /// There was no answer within so much time.
    Timeout(Duration),
}

/// A way to one server, for the bearer of a token.
#[derive(Debug, Clone)]
pub struct Wire(Octocrab);

impl Wire {
    /// Opens a way to the server of a URL. Nothing is sent yet. It must be called where an asynchronous runtime is.
    ///
    /// # Errors
    ///
    /// Why no request can be made: the URL or the token is malformed, or the system has no root certificates.
    pub fn new(url: &str, token: &Secret) -> Result<Self, String> {
        // Octocrab panics at a token that is no header.
        if token.reveal().is_empty() || !token.reveal().chars().all(|c| c.is_ascii_graphic()) {
            return Err("the token is empty, or has characters that no token has".to_owned());
        }
        let origin = origin(url).ok_or_else(|| format!("`{url}` is not a URL"))?;
        // Only the server: octocrab puts a path of its base before every path that does not begin with it, which GraphQL's
        // on Enterprise Server does not.
        let built = Octocrab::builder()
            .base_uri(origin)
            .map(|builder| builder.personal_token(token.reveal().to_owned()))
            .map(|builder| builder.set_connect_timeout(Some(TIMEOUT)))
            .and_then(|builder| match "accept".parse() {
                Ok(accept) => builder
                    .add_header(accept, "application/vnd.github+json".to_owned())
                    .build(),
                Err(_) => builder.build(),
            });
        built.map(Self).map_err(|error| innermost(&error))
    }

    /// Sends a request, once.
    ///
    /// # Errors
    ///
    /// See [`Broken`]. An answer that refuses is no error here.
    pub async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Answer, Broken> {
        match tokio::time::timeout(TIMEOUT, self.sent(method, url, body)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(Broken::Timeout(TIMEOUT)),
        }
    }

    async fn sent(&self, method: Method, url: &str, body: Option<&Value>) -> octocrab::Result<Answer> {
        let response = match method {
            Method::Get => self.0._get(url).await,
            Method::Post => self.0._post(url, body).await,
            Method::Patch => self.0._patch(url, body).await,
            Method::Delete => self.0._delete(url, body).await,
        }?;
        let header = |(name, value): (_, &[u8])| (name, String::from_utf8_lossy(value).into_owned());
        let headers = response.headers().iter();
        Ok(Answer {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| header((name.as_str().to_owned(), value.as_bytes())))
                .collect(),
            body: self.0.body_to_string(response).await?,
        })
    }
}

/// The part of a URL before its path.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest
        .split(['/', '?'])
        .next()
        .filter(|authority| !authority.is_empty())?;
    url.get(..scheme.len() + "://".len() + authority.len())
}

fn broken(error: &octocrab::Error) -> Broken {
    let why = innermost(error);
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        let is_refused = inner
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        if is_refused {
            return Broken::Refused(why);
        }
        cause = inner.source();
    }
    match error {
        octocrab::Error::Uri { .. } | octocrab::Error::UriParse { .. } | octocrab::Error::Http { .. } => {
            Broken::Unsent(why)
        }
        _ => Broken::Cut(why),
    }
}

/// Octocrab's outer errors show a backtrace; the innermost says what broke.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_a_url_is_what_stands_before_its_path() {
        assert_eq!(
            origin("https://ghe.example.com/api/v3"),
            Some("https://ghe.example.com")
        );
        assert_eq!(origin("http://127.0.0.1:8080"), Some("http://127.0.0.1:8080"));
        assert_eq!(origin("http://host?x=/y"), Some("http://host"));
        assert_eq!(origin("api.github.com"), None);
        assert_eq!(origin("http:///path"), None);
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_refused_and_not_shown() {
        let refused = Wire::new("http://127.0.0.1", &Secret::new("ghs_se\ncret".to_owned()));
        assert!(!refused.unwrap_err().contains("cret"));
    }
}
