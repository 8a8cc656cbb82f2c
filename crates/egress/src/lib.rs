//! The one way out to addresses that somebody else named: where a recording is to be fetched, what is to
//! be told of calls, which tool is to be asked.
//!
//! Whoever names an address could name a machine beside this one, that trusts it. So an address is https
//! and has the name of a machine, never its number; the name is looked up once, every address that it
//! has must be public, and exactly those are connected to; redirects are not followed, no proxy is asked,
//! and all of it is bounded. Hosts that the owner configured are not strangers' addresses, and do not
//! come here.

mod address;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use address::is_public;
use ports::{Blame, Fault, code};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use url::{Host, Url};

/// A client that goes nowhere else.
#[derive(Clone, Debug)]
pub struct Egress {
    http: Client,
    law: Law,
}

/// An address that may be asked, as far as can be told without looking its name up.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination(Url);

/// Looks a name up.
pub trait Lookup: Send + Sync {
    /// All addresses that it has.
    fn lookup(&self, name: &str) -> Looked;
}

/// What comes of looking a name up.
pub type Looked = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// What is allowed. There is one, and another in the tests of this file.
#[derive(Clone, Copy, Debug)]
struct Law {
    scheme: &'static str,
    is_public: fn(IpAddr) -> bool,
}

const LAW: Law = Law {
    scheme: "https",
    is_public,
};

impl Egress {
    /// # Errors
    /// This machine has no trusted certificates.
    pub fn new() -> reqwest::Result<Self> {
        Self::asking(Arc::new(System))
    }

    /// The same with another way to look names up.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn asking(lookup: Arc<dyn Lookup>) -> reqwest::Result<Self> {
        Self::under(LAW, lookup)
    }

    fn under(law: Law, lookup: Arc<dyn Lookup>) -> reqwest::Result<Self> {
        // The program may have chosen a provider. If it did not, a client could not be made at all.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
            .https_only(law.scheme == "https")
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Arc::new(Checked { law, lookup }))
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            // A connection is of one lookup, and not kept for the next.
            .pool_max_idle_per_host(0)
            .http1_only()
            .build()?;
        Ok(Self { http, law })
    }

    /// Reads an address.
    ///
    /// # Errors
    /// It is not one that is asked.
    pub fn destination(&self, address: &str) -> Result<Destination, Fault> {
        let url = Url::parse(address).ok();
        let named = |it: &Url| matches!(it.host(), Some(Host::Domain(name)) if is_name(name));
        let plain = |it: &Url| it.username().is_empty() && it.password().is_none();
        url.filter(|it| it.scheme() == self.law.scheme && named(it) && plain(it))
            .map(Destination)
            .ok_or_else(refused)
    }

    /// Asks it for what is there. How much is taken of that is up to whoever reads it.
    pub fn get(&self, to: &Destination) -> RequestBuilder {
        self.http.get(to.0.clone())
    }

    /// Tells it something.
    pub fn post(&self, to: &Destination) -> RequestBuilder {
        self.http.post(to.0.clone())
    }
}

impl Destination {
    /// The name of the machine.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for Destination {
    /// What follows the name may open something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/•••", self.0.scheme(), self.host())
    }
}

/// Names of this machine and of its own network are not looked up at all.
fn is_name(name: &str) -> bool {
    !is_own(name)
}

/// Whether a name is of this machine or its own network by what it says itself.
pub fn is_own(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains('.') || OWN.contains(&last)
}

fn refused() -> Fault {
    let message = "an address is not asked that somebody named";
    Fault::new(Blame::Config, code::EGRESS_REFUSED, message)
        .hint("only https addresses with the name of a public machine are")
}

/// Looks names up, and lets none through that leads to a machine that is not public.
struct Checked {
    law: Law,
    lookup: Arc<dyn Lookup>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (law, looked) = (self.law, self.lookup.lookup(name.as_str()));
        Box::pin(async move {
            let found = looked.await?;
            // One that is not may be meant to be tried after one that is.
            if found.is_empty() || !found.iter().all(|it| (law.is_public)(*it)) {
                return Err("this name leads to no public machine".into());
            }
            let found = found.into_iter().map(|it| SocketAddr::new(it, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> Looked {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|it| it.ip()).collect())
        })
    }
}

/// Last parts of names that are of no public machine.
const OWN: &[&str] = &[
    "localhost",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "arpa",
    "test",
    "example",
    "invalid",
    "onion",
];

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// For all of it, unless who asks says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
