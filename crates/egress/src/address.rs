//! Which addresses are anybody's to reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is of a machine on the public net: not this one, none beside it, none that only
/// stands for one, and no group of them.
///
/// Sources: IANA's registries of special-purpose addresses,
/// [of version 4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
/// [of version 6](https://www.iana.org/assignments/iana-ipv6-special-registry).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !NOT_PUBLIC_4.iter().any(|net| net.holds(it)),
        // What is not in the space that is given out, is mapped, or translated, or nobody's.
        IpAddr::V6(it) => GIVEN_OUT.holds(it) && !NOT_PUBLIC_6.iter().any(|net| net.holds(it)),
    }
}

/// All addresses that begin with the same bits.
struct Net<A>(A, u32);

impl Net<Ipv4Addr> {
    fn holds(&self, address: Ipv4Addr) -> bool {
        (u32::from(self.0) ^ u32::from(address))
            .checked_shr(32 - self.1)
            .unwrap_or_default()
            == 0
    }
}

impl Net<Ipv6Addr> {
    fn holds(&self, address: Ipv6Addr) -> bool {
        (u128::from(self.0) ^ u128::from(address)) >> (128 - self.1) == 0
    }
}

const fn v4(a: u8, b: u8, c: u8, bits: u32) -> Net<Ipv4Addr> {
    Net(Ipv4Addr::new(a, b, c, 0), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u32) -> Net<Ipv6Addr> {
    Net(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

const NOT_PUBLIC_4: &[Net<Ipv4Addr>] = &[
    // This network, of which many systems take 0.0.0.0 for themselves.
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    // Shared by a carrier's customers.
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    // Without a router; clouds tell their secrets there.
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    // Of documents.
    v4(192, 0, 2, 24),
    // Relays from version 6.
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    // Of measurements.
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    // Groups, what is kept for later, and everybody. A cloud's own services are among the public ones.
    v4(224, 0, 0, 3),
    v4(168, 63, 129, 24),
];

const GIVEN_OUT: Net<Ipv6Addr> = v6(0x2000, 0, 0, 3);

const NOT_PUBLIC_6: &[Net<Ipv6Addr>] = &[
    // Tunnels with an address of version 4 in them, and what has no place.
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x2002, 0, 0, 16),
    // Of documents.
    v6(0x3fff, 0, 0, 20),
];
