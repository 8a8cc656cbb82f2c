//! Where connections wait that nobody has vouched for yet: few, not for long, and never in the way of
//! those that have proved themselves.
//!
//! A connection is a stranger's until something that came on it was genuine: a webhook that is signed, or
//! a token. Strangers have a budget of their own. Where it is used up the oldest of them goes, since
//! whoever means it has spoken by then: so no flood keeps a carrier out, whether it comes from one
//! address or from many. Behind a proxy all come from one, which says nothing; only an address that is
//! somebody's own is held to a budget of its own.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress::is_public;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// All strangers of a server.
#[derive(Debug)]
pub(super) struct Lobby {
    waiting: Mutex<Waiting>,
    /// So many at once.
    room: usize,
    /// So many of one address.
    each: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// By their age.
    all: BTreeMap<u64, Stranger>,
    /// How many of each public address.
    of: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Stranger {
    address: Option<IpAddr>,
    out: oneshot::Sender<()>,
}

/// One connection's place. It is given back when dropped, or when the connection has proved itself.
#[derive(Debug)]
pub(super) struct Guest {
    lobby: Arc<Lobby>,
    id: u64,
}

/// When a connection is to be closed.
#[derive(Debug)]
pub(super) struct Stay(oneshot::Receiver<()>);

impl Lobby {
    pub(super) fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            room: room.max(1),
            each: room.div_ceil(EACH),
        })
    }

    /// Lets a connection in. If there is no room, whoever has waited longest goes for it.
    pub(super) fn enter(self: &Arc<Self>, from: SocketAddr) -> (Arc<Guest>, Stay) {
        let address = from.ip().to_canonical();
        let address = Some(address).filter(|it| is_public(*it));
        let mut waiting = self.waiting();
        let own = address.and_then(|it| waiting.of.get(&it).copied());
        if own.unwrap_or_default() >= self.each {
            let oldest = waiting.all.iter().find(|(_, it)| it.address == address);
            let oldest = oldest.map(|(id, _)| *id);
            waiting.show_out(oldest);
        }
        if waiting.all.len() >= self.room {
            let oldest = waiting.all.keys().next().copied();
            waiting.show_out(oldest);
        }
        let (out, stay) = oneshot::channel();
        let id = waiting.next;
        waiting.next += 1;
        waiting.all.insert(id, Stranger { address, out });
        if let Some(address) = address {
            *waiting.of.entry(address).or_default() += 1;
        }
        drop(waiting);
        let lobby = self.clone();
        (Arc::new(Guest { lobby, id }), Stay(stay))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn show_out(&mut self, id: Option<u64>) {
        if let Some(gone) = id.and_then(|id| self.remove(id)) {
            let _ = gone.out.send(());
        }
    }

    fn remove(&mut self, id: u64) -> Option<Stranger> {
        let gone = self.all.remove(&id)?;
        if let Some(address) = gone.address
            && let Some(count) = self.of.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&address);
            }
        }
        Some(gone)
    }
}

impl Guest {
    /// Something genuine came: from now on the connection may stay.
    pub(super) fn proved(&self) {
        // That its sender is gone tells the connection so.
        self.lobby.waiting().remove(self.id);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.proved();
    }
}

impl Stay {
    /// Returns when the connection is to be closed: it had long enough, or others need the room. Never,
    /// once it has proved itself.
    pub(super) async fn over(self) {
        if let Ok(Err(_)) = timeout(PATIENCE, self.0).await {
            std::future::pending().await
        }
    }
}

/// A stranger has this long to say something genuine.
const PATIENCE: Duration = Duration::from_secs(5);

/// One address may have this part of the room.
const EACH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_proves_nothing_goes_after_a_while_and_who_does_stays() {
        let lobby = Lobby::new(4);
        let (_stranger, stay) = lobby.enter(at("1.2.3.4"));
        let began = tokio::time::Instant::now();
        stay.over().await;
        assert_eq!(began.elapsed(), PATIENCE);
        let (guest, stay) = lobby.enter(at("1.2.3.4"));
        guest.proved();
        assert!(timeout(PATIENCE * 100, stay.over()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_sends_its_own_oldest_away_and_keeps_nobody_out() {
        let lobby = Lobby::new(100);
        // Behind a proxy all have its address.
        for proxy in ["127.0.0.1", "10.0.0.7", "::ffff:127.0.0.1"] {
            let mut flood: Vec<_> = (0..5_000).map(|_| lobby.enter(at(proxy))).collect();
            assert_eq!(lobby.waiting().all.len(), 100);
            let (carrier, stay) = lobby.enter(at(proxy));
            carrier.proved();
            let (_, oldest) = flood.remove(0);
            // At once, and not only after a while.
            assert!(timeout(Duration::ZERO, oldest.over()).await.is_ok());
            assert!(timeout(PATIENCE * 2, stay.over()).await.is_err());
        }
        assert!(lobby.waiting().all.is_empty() && lobby.waiting().of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_a_part_of_the_room() {
        let lobby = Lobby::new(160);
        let (_one, stay) = lobby.enter(at("5.6.7.8"));
        let _many: Vec<_> = (0..1_000).map(|_| lobby.enter(at("1.2.3.4"))).collect();
        assert_eq!(lobby.waiting().all.len(), 11);
        assert!(timeout(PATIENCE / 2, stay.over()).await.is_err());
    }

    fn at(address: &str) -> SocketAddr {
        (address.parse::<IpAddr>().expect("an address"), 1).into()
    }
}
