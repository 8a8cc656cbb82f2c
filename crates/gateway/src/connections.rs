//! Agents that have connected by themselves: which are there, and who carries letters to which.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ports::agent::Carries;
use ports::{Blame, Fault, Link, Retry, code, pair};
use tokio::sync::mpsc;

/// The agents that are connected, by their names. The last connection of each counts.
#[derive(Debug, Default, Clone)]
pub struct Connections(Arc<Mutex<HashMap<String, mpsc::Sender<Beginning>>>>);

/// A call that begins on a connection.
#[derive(Debug)]
pub struct Beginning {
    /// Our name for it.
    pub call: String,
    /// What is to be carried to the agent, and from it.
    pub letters: Link<String, String>,
}

impl Connections {
    /// An agent has connected: the calls that begin on it, until another connects in its name.
    pub fn open(&self, agent: &str) -> mpsc::Receiver<Beginning> {
        let (tx, rx) = mpsc::channel(CALLS);
        let mut connected = self.connected();
        connected.retain(|_, it| !it.is_closed());
        connected.insert(agent.to_owned(), tx);
        rx
    }

    /// Who carries for a call of an agent's, whether it is connected yet or not.
    pub fn carrier(&self, agent: &str, call: &str) -> Box<dyn Carries> {
        Box::new(Carrier {
            connections: self.clone(),
            agent: agent.to_owned(),
            call: call.to_owned(),
        })
    }

    fn connected(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Beginning>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Carrier {
    connections: Connections,
    agent: String,
    call: String,
}

#[async_trait]
impl Carries for Carrier {
    async fn begin(&mut self) -> Result<Link<String, String>, Fault> {
        let connected = self.connections.connected().get(&self.agent).cloned();
        let (near, letters) = pair(LETTERS);
        let call = self.call.clone();
        let begun = connected.and_then(|it| it.try_send(Beginning { call, letters }).ok());
        begun.map(|()| near).ok_or_else(|| {
            let message = format!("the agent {:?} is not connected", self.agent);
            Fault::new(Blame::Agent, code::AGENT_UNREACHABLE, message)
                .retry(Retry::Now)
                .hint("start it: it connects to /v1/agents/NAME/connect by itself")
        })
    }
}

/// So many calls may begin before their agent takes the first of them.
const CALLS: usize = 64;
/// Of one call, either way.
const LETTERS: usize = 64;
