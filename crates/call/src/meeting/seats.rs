//! Who sits at a meeting, and who hears whom.

/// One of those at a meeting, by the number of their seat: 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(pub u8);

/// So many may sit at a meeting.
pub const MOST: u8 = 16;

/// Some of those at a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audience(u16);

impl Audience {
    /// This one alone.
    pub fn of(party: PartyId) -> Self {
        Self(bit(party))
    }

    /// Whether this one is among them.
    pub fn has(self, party: PartyId) -> bool {
        self.0 & bit(party) != 0
    }

    /// Bit by seat.
    pub fn bits(self) -> u16 {
        self.0
    }
}

/// What someone at a meeting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person on a phone.
    Person,
    /// An agent.
    Agent,
}

/// Who is expected, who is there, and who is muted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seats {
    expected: u16,
    seated: u16,
    muted: u16,
    agents: u16,
    /// Those who were here before their gateway was lost.
    back: u16,
}

impl Seats {
    /// Whom this one hears: everyone who sits there but those who are muted, and never itself.
    pub fn heard_by(&self, listener: PartyId) -> Audience {
        if self.seated & bit(listener) == 0 {
            return Audience::default();
        }
        Audience(self.seated & !self.muted & !bit(listener))
    }

    /// Who sits there, and must not be left in silence: nobody else is there.
    pub fn is_kept_company(&self, party: PartyId) -> bool {
        self.seated & !bit(party) != 0
    }

    /// Everyone who sits there.
    pub fn all(&self) -> Audience {
        Audience(self.seated)
    }

    /// The same but this one.
    pub(super) fn all_but(&self, party: PartyId) -> Audience {
        Audience(self.seated & !bit(party))
    }

    /// Whether the others hear this one.
    pub fn is_heard(&self, party: PartyId) -> bool {
        self.seated & !self.muted & bit(party) != 0
    }

    /// Whether this one sits there.
    pub fn is_seated(&self, party: PartyId) -> bool {
        self.seated & bit(party) != 0
    }

    /// Whether this one was told to be silent.
    pub fn is_muted(&self, party: PartyId) -> bool {
        self.muted & bit(party) != 0
    }

    /// What this one is; `None`: it is neither there nor expected.
    pub fn kind(&self, party: PartyId) -> Option<Kind> {
        self.knows(party).then(|| {
            if self.agents & bit(party) == 0 {
                Kind::Person
            } else {
                Kind::Agent
            }
        })
    }

    pub(super) fn expect(&mut self, party: PartyId, kind: Kind) {
        self.expected |= bit(party);
        if kind == Kind::Agent {
            self.agents |= bit(party);
        }
    }

    pub(super) fn expect_back(&mut self, party: PartyId) {
        self.expect(party, Kind::Person);
        self.back |= bit(party);
    }

    pub(super) fn is_back(&self, party: PartyId) -> bool {
        self.back & bit(party) != 0
    }

    pub(super) fn sit(&mut self, party: PartyId) {
        // One that was told to go, or never asked, does not sit down.
        self.seated |= bit(party) & self.expected;
    }

    pub(super) fn leave(&mut self, party: PartyId) {
        for set in [
            &mut self.expected,
            &mut self.seated,
            &mut self.muted,
            &mut self.agents,
            &mut self.back,
        ] {
            *set &= !bit(party);
        }
    }

    /// Returns whether that is new.
    pub(super) fn mute(&mut self, party: PartyId) -> bool {
        let news = self.knows(party) && !self.is_muted(party);
        self.muted |= bit(party) & self.expected;
        news
    }

    /// Returns whether that is new.
    pub(super) fn unmute(&mut self, party: PartyId) -> bool {
        let news = self.is_muted(party);
        self.muted &= !bit(party);
        news
    }

    /// Whether this one is there or expected.
    pub fn knows(&self, party: PartyId) -> bool {
        self.expected & bit(party) != 0
    }

    /// Everyone who is there or expected.
    pub(super) fn parties(&self) -> impl Iterator<Item = PartyId> + use<> {
        let expected = self.expected;
        (0..MOST)
            .map(PartyId)
            .filter(move |it| expected & bit(*it) != 0)
    }

    /// Every agent that is there or expected.
    pub(super) fn agents(&self) -> impl Iterator<Item = PartyId> + use<> {
        let agents = self.agents;
        self.parties().filter(move |it| agents & bit(*it) != 0)
    }

    /// How many people sit there.
    pub(super) fn people(&self) -> u32 {
        (self.seated & !self.agents).count_ones()
    }

    /// How many people sit there or are to come.
    pub(super) fn awaited(&self) -> u32 {
        (self.expected & !self.agents).count_ones()
    }

    pub(super) fn has_agent(&self) -> bool {
        self.seated & self.agents != 0
    }

    /// Whether there is no person, nor one to come.
    pub(super) fn is_deserted(&self) -> bool {
        self.expected & !self.agents == 0
    }
}

fn bit(party: PartyId) -> u16 {
    1_u16.checked_shl(u32::from(party.0)).unwrap_or(0)
}
