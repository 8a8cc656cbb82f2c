//! Tools of a server of the owner's that speaks the Model Context Protocol ([specification]): a program that we run, or
//! an address.
//!
//! It is started, or connected to, when a call first needs it, and again when it is gone: each time it is, we wait
//! longer before that. One that does not answer keeps nobody waiting for longer than its tools may take.
//!
//! [specification]: https://modelcontextprotocol.io/specification

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ports::Secret;
use ports::agent::{Then, Tool, Used};
use reqwest::Client;
use reqwest::redirect::Policy;
use rmcp::ServiceExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation,
    PaginatedRequestParams,
};
use rmcp::service::{Peer, RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::program::Program;

/// A server, whether it is up or not.
pub struct Server {
    /// What the owner calls it.
    name: String,
    at: At,
    only: Only,
    line: Mutex<Line>,
    /// What it had to offer when it was last asked.
    offers: RwLock<Arc<[Offer]>>,
}

/// Where a server is.
pub enum At {
    /// Behind an address.
    Address {
        /// Which.
        url: String,
        /// What it wants to see, if anything.
        token: Option<Secret>,
    },
    /// It is a program, which speaks over its input and output.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// What it sees besides the usual variables.
        environment: Vec<(String, Secret)>,
    },
}

/// Which of a server's tools may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// Whatever it has.
    All,
    /// Those of these names.
    These(Vec<String>),
}

/// A tool of a server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    /// As agents are told of it.
    pub(crate) tool: Tool,
    /// What the server calls it.
    pub(crate) theirs: String,
}

/// The way to a server.
struct Line {
    up: Option<Up>,
    /// How often in a row it was of no use.
    failures: u32,
    /// Not before that is it tried again.
    again: Instant,
    /// How many ways to it there were.
    count: u64,
}

struct Up {
    client: RunningService<RoleClient, ClientConfig>,
    /// Ended with it.
    _program: Option<Program>,
}

impl Server {
    /// One that nobody has needed yet.
    pub fn new(name: String, at: At, only: Only) -> Self {
        Self {
            name,
            at,
            only,
            line: Mutex::new(Line {
                up: None,
                failures: 0,
                again: Instant::now(),
                count: 0,
            }),
            offers: RwLock::new(Arc::new([])),
        }
    }

    /// Has it be there, if that takes no longer than this. It goes on coming after that, for whoever is next.
    pub(crate) async fn come(self: &Arc<Self>, patience: Duration) {
        let server = self.clone();
        let coming = tokio::spawn(async move { server.peer().await.is_some() });
        let _ = timeout(patience, coming).await;
    }

    /// What agents are told of: its tools; or that it is not there, if it never was.
    pub(crate) fn told(&self) -> Vec<Tool> {
        let offers = self.offers();
        if offers.is_empty() {
            return vec![Tool {
                name: self.name.clone(),
                about: "Not there at the moment. If the caller needs it, tell them so.".to_owned(),
                takes: json!({ "type": "object", "properties": {} }),
                then: Then::GoesOn,
            }];
        }
        offers.iter().map(|it| it.tool.clone()).collect()
    }

    /// The tool that agents know by that name.
    pub(crate) fn offer(&self, name: &str) -> Option<Offer> {
        let offers = self.offers();
        offers.iter().find(|it| it.tool.name == name).cloned()
    }

    fn offers(&self) -> Arc<[Offer]> {
        let offers = self.offers.read().unwrap_or_else(PoisonError::into_inner);
        offers.clone()
    }

    /// Uses one of its tools. Dropping this takes it back: the server is told so.
    pub(crate) async fn have_done(&self, theirs: &str, takes: &Value) -> Used {
        let Some((peer, count)) = self.peer().await else {
            return gone();
        };
        let takes = takes.as_object().cloned().unwrap_or_default();
        let asked = CallToolRequestParams::new(theirs.to_owned()).with_arguments(takes);
        match peer.call_tool(asked).await {
            Ok(result) => {
                // Where somebody looks for another way to it, it was of no use to them.
                if let Ok(mut line) = self.line.try_lock() {
                    line.failures = 0;
                }
                read(&result)
            }
            Err(ServiceError::McpError(error)) => bounded(format!("It failed: {}", error.message)),
            Err(ServiceError::UnexpectedResponse) => failed("its answer makes no sense"),
            Err(_) => {
                self.lose(count).await;
                gone()
            }
        }
    }

    /// A way to it: the one that there is, or a new one.
    async fn peer(&self) -> Option<(Peer<RoleClient>, u64)> {
        let mut line = self.line.lock().await;
        if let Some(up) = &line.up {
            if !up.client.is_closed() && !up.client.is_transport_closed() {
                return Some((up.client.peer().clone(), line.count));
            }
            line.fail();
        }
        let now = Instant::now();
        if now < line.again {
            return None;
        }
        line.count += 1;
        match timeout(START, self.connect()).await {
            Ok(Some((up, offers))) => {
                tracing::info!(
                    tool = self.name,
                    tools = offers.len(),
                    "a server of tools is there"
                );
                let peer = up.client.peer().clone();
                line.up = Some(up);
                *self.offers.write().unwrap_or_else(PoisonError::into_inner) = offers.into();
                Some((peer, line.count))
            }
            Ok(None) | Err(_) => {
                line.fail();
                let again = line.again.saturating_duration_since(now).as_secs();
                tracing::warn!(tool = self.name, again, "a server of tools is not there");
                None
            }
        }
    }

    /// This way to it leads nowhere.
    async fn lose(&self, count: u64) {
        let mut line = self.line.lock().await;
        // There may be another by now.
        if line.count == count && line.up.is_some() {
            line.fail();
        }
    }

    async fn connect(&self) -> Option<(Up, Vec<Offer>)> {
        let name = Implementation::new("offhook", env!("CARGO_PKG_VERSION"));
        let we = ClientConfig::new(ClientCapabilities::default(), name);
        let (client, program) = match &self.at {
            At::Address { url, token } => {
                let http = Client::builder()
                    .redirect(Policy::none())
                    .retry(reqwest::retry::never())
                    .connect_timeout(START)
                    .build()
                    .ok()?;
                let mut way = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .max_sse_event_size(MOST)
                    .max_json_response_size(MOST)
                    .max_error_response_size(0);
                if let Some(token) = token {
                    way = way.auth_header(token.reveal());
                }
                let way = StreamableHttpClientTransport::with_client(http, way);
                (we.serve(way).await.ok()?, None)
            }
            At::Program {
                command,
                environment,
            } => {
                let (program, output, input) = Program::start(command, environment).ok()?;
                let way = AsyncRwTransport::new(output, input).with_max_line_length(MOST);
                (we.serve(way).await.ok()?, Some(program))
            }
        };
        let offers = self.ask(client.peer()).await?;
        let up = Up {
            client,
            _program: program,
        };
        Some((up, offers))
    }

    /// Asks what it has to offer.
    async fn ask(&self, peer: &Peer<RoleClient>) -> Option<Vec<Offer>> {
        let (mut offers, mut names) = (Vec::new(), BTreeSet::new());
        let mut page = None;
        for _ in 0..MOST_PAGES {
            let asked = PaginatedRequestParams::default().with_cursor(page.take());
            let listed = peer.list_tools(Some(asked)).await.ok()?;
            for tool in listed.tools {
                let offer = self
                    .offered(tool)
                    .filter(|it| names.insert(it.tool.name.clone()));
                offers.extend(offer);
            }
            page = listed.next_cursor;
            if page.is_none() {
                break;
            }
        }
        offers.truncate(MOST_TOOLS);
        Some(offers)
    }

    /// One of its tools, if it may be used and is none that no model could be told of.
    fn offered(&self, tool: rmcp::model::Tool) -> Option<Offer> {
        if let Only::These(these) = &self.only
            && !these.iter().any(|it| *it == tool.name)
        {
            return None;
        }
        let takes = Value::Object((*tool.input_schema).clone());
        if takes.to_string().len() > LONGEST_SCHEMA {
            tracing::warn!(
                tool = self.name,
                "a server has a tool that takes too much to be told of"
            );
            return None;
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let sign = |c: char| if plain(c) { c } else { '_' };
        let name = format!("{}_{}", self.name, tool.name);
        Some(Offer {
            tool: Tool {
                name: name.chars().map(sign).take(LONGEST_NAME).collect(),
                about: tool
                    .description
                    .unwrap_or_default()
                    .chars()
                    .take(LONGEST_ABOUT)
                    .collect(),
                takes,
                then: Then::GoesOn,
            },
            theirs: tool.name.into_owned(),
        })
    }
}

impl Line {
    /// It is of no use, and is left alone for a while.
    fn fail(&mut self) {
        self.up = None;
        self.again = Instant::now() + pause(self.failures);
        self.failures = self.failures.saturating_add(1);
    }
}

/// How long a server is left alone that was of no use so often before.
fn pause(failures: u32) -> Duration {
    (Duration::from_secs(1) * 2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

/// What came of a use, in words.
fn read(result: &CallToolResult) -> Used {
    let texts: Vec<&str> = result
        .content
        .iter()
        .filter_map(|it| Some(&*it.as_text()?.text))
        .collect();
    let text = match &result.structured_content {
        Some(value) if texts.is_empty() => value.to_string(),
        Some(_) | None => texts.join("\n"),
    };
    // The server wrote this too: it is data as well.
    bounded(if result.is_error == Some(true) {
        format!("It failed: {text}")
    } else {
        text
    })
}

fn bounded(text: String) -> Used {
    if text.len() > LONGEST_RESULT {
        return failed("its answer is too long");
    }
    Used::Done(text.into())
}

fn gone() -> Used {
    failed("it is not there at the moment")
}

fn failed(why: &str) -> Used {
    Used::Failed(why.to_owned().into())
}

impl fmt::Debug for Server {
    /// Its address, or what its program is told, may open something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name)
    }
}

/// A program may have to be fetched first.
const START: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Of one message.
const MOST: usize = 1024 * 1024;
const MOST_PAGES: usize = 8;
const MOST_TOOLS: usize = 32;
/// As endpoints of models take them.
const LONGEST_NAME: usize = 64;
const LONGEST_ABOUT: usize = 1_000;
const LONGEST_SCHEMA: usize = 8 * 1024;
const LONGEST_RESULT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
