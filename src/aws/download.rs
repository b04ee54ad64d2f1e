//! A file that AWS has signed a URL for.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;

/// How long a download may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Downloads what stands behind a URL that needs no signature of ours: whoever has it may read the file, so that it is told
/// to nobody. `None` where that fails, or where there are more bytes than `most_bytes`.
pub async fn download(url: &str, most_bytes: usize) -> Option<Vec<u8>> {
    let read = tokio::time::timeout(PATIENCE, read(url, most_bytes)).await;
    read.unwrap_or_default()
}

async fn read(url: &str, most_bytes: usize) -> Option<Vec<u8>> {
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .proxy_config(ProxyConfig::from_env())
        .build();
    let request = HttpRequest::get(url).ok()?;
    let answer = connector.call(request).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let mut stream = ByteStream::new(answer.into_body());
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.ok()?;
        if bytes.len() + part.len() > most_bytes {
            return None;
        }
        bytes.extend_from_slice(&part);
    }
    Some(bytes)
}
