//! HTTP/1.1 for the fake: requests in, replies out, connections kept open as long as the client wants them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use super::contract::decoded;

/// One request.
#[derive(Debug)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, without those that frame the body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer with a JSON body.
    pub fn new(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![header("content-type", "application/json; charset=utf-8")],
            body: body.to_string().into_bytes(),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A text as it is, by GitHub's raw media type.
    pub fn raw(text: &str) -> Self {
        Self {
            status: 200,
            headers: vec![header("content-type", "application/vnd.github.raw+json; charset=utf-8")],
            body: text.as_bytes().to_vec(),
        }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push(header(name, value));
        self
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the body is said to be JSON.
    pub fn is_json(&self) -> bool {
        let is_json =
            |(name, value): &(String, String)| name == "content-type" && value.starts_with("application/json");
        self.headers.iter().any(is_json)
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Answers a request; nothing breaks the connection instead.
pub type Answering = dyn Fn(Asked) -> Option<Reply> + Send + Sync;

/// A server on a free port of this machine, until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins to listen; `answering` is told the address that was found.
    pub fn start(answering: impl FnOnce(SocketAddr) -> Arc<Answering>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let answering = answering(address);
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                let answering = Arc::clone(&answering);
                // It ends when the client hangs up.
                drop(thread::spawn(move || stream.map(|stream| serve(&stream, &*answering))));
            }
        });
        Self {
            address,
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // The listener looks up only when somebody calls.
        let called = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (called, self.thread.take()) {
            drop(thread.join());
        }
    }
}

fn serve(stream: &TcpStream, answering: &Answering) {
    let mut input = BufReader::new(stream);
    let mut output = stream;
    while let Some(asked) = receive(&mut input, output) {
        let is_last = asked.header("connection").eq_ignore_ascii_case("close");
        let Some(reply) = answering(asked) else { return };
        if output.write_all(&framed(&reply, is_last)).is_err() || is_last {
            return;
        }
    }
}

/// The next request; nothing if the client hung up or does not speak as we understand.
fn receive(input: &mut BufReader<&TcpStream>, mut output: &TcpStream) -> Option<Asked> {
    let line = line(input)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = self::line(input)?;
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(&value.replace('+', " ")))
    });
    let mut asked = Asked {
        method,
        path: path.to_owned(),
        query: query.collect(),
        headers,
        body: Vec::new(),
    };
    if asked.header("expect").eq_ignore_ascii_case("100-continue") {
        output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    asked.body = if asked.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        chunks(input)?
    } else {
        exactly(input, asked.header("content-length").parse().unwrap_or(0))?
    };
    Some(asked)
}

fn line(input: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = input.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn exactly(input: &mut BufReader<&TcpStream>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn chunks(input: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(line(input)?.split(';').next()?, 16).ok()?;
        body.extend(exactly(input, length)?);
        line(input)?;
        if length == 0 {
            return Some(body);
        }
    }
}

fn framed(reply: &Reply, is_last: bool) -> Vec<u8> {
    let (status, length) = (reply.status, reply.body.len());
    let named = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = named.collect();
    let length = match status {
        204 | 304 => String::new(),
        _ => format!("content-length: {length}\r\n"),
    };
    let connection = if is_last { "close" } else { "keep-alive" };
    let head = format!("HTTP/1.1 {status} Fake\r\n{headers}{length}connection: {connection}\r\n\r\n");
    [head.as_bytes(), &reply.body].concat()
}
