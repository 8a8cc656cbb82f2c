use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of this machine's that nobody listens on, for a server that is to be started and told of.
///
/// One that the system chooses is likely to be chosen again, for somebody's connection, before the server listens on it.
/// So this is one of those that it does not choose from by itself, and another one each time.
///
/// # Errors
/// There is none.
pub fn free_port() -> io::Result<u16> {
    // Programs that run at the same time begin at different ones.
    let _ = NEXT.compare_exchange(0, begin(), Ordering::Relaxed, Ordering::Relaxed);
    for _ in FIRST..LAST {
        let next = |port: u16| Some(if port + 1 < LAST { port + 1 } else { FIRST });
        let port = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let port = port.unwrap_or(FIRST);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrNotAvailable.into())
}

fn begin() -> u16 {
    let many = u32::from(LAST - FIRST);
    let spread = std::process::id().wrapping_mul(2_654_435_761) % many;
    FIRST + u16::try_from(spread).unwrap_or(0)
}

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Systems choose from 32768 on, or from 49152 on.
const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_and_another_each_time() {
        let ports: Vec<u16> = (0..100)
            .map(|_| free_port().expect("there are many"))
            .collect();
        let mut once = ports.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ports.len());
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).expect("it is free");
        assert!((FIRST..LAST).contains(&taken.local_addr().expect("it is bound").port()));
    }
}
