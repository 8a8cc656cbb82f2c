//! How sure we are of who is on a call, and what an agent may do for whom.

use call::{Attestation, Direction, Number, Trust};
use subtle::Choice;

use crate::Known;
use crate::pin::{Keyed, Pin};
use crate::rules::{Callers, Rules};
use crate::whom::Entry;

/// What is known of who is on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'c> {
    /// Who called whom.
    pub direction: Direction,
    /// The number they show, or that we called; `None`: they hide it, or it is none.
    pub number: Option<&'c Number>,
    /// Who vouches for it.
    pub attestation: Attestation,
    /// Whether the owner paired that number.
    pub paired: bool,
    /// What they have proven.
    pub proof: Proof,
}

/// The number that a caller shows, as a carrier writes it: `None` where they hide it, also behind a word that is
/// spelt in digits.
pub fn shown(from: &str) -> Option<Number> {
    Number::parse(from)
        .ok()
        .filter(|it| !HIDDEN.contains(&it.as_str()))
}

/// What somebody has proven of who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    #[default]
    Nothing,
    /// They keyed the right PIN.
    Pin,
    /// We called them, and it was not known to be a machine that picked up.
    PickedUp,
}

/// What an agent can want done beyond talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Power {
    /// End the call.
    HangUp,
    /// Take down a message.
    TakeMessage,
    /// Press keys.
    PressKeys,
    /// Ask the owner something while the caller waits.
    AskOwner,
    /// Write down something for the owner.
    Note,
    /// Promise that the caller is called back: they are, where whoever is called at all may be.
    CallBack,
    /// Have the caller put through to somebody whom the owner gave a name: a phone rings, and it costs money.
    PutThrough,
    /// Be reminded of what was said on earlier calls with whoever calls.
    Remember,
    /// Use a tool of the owner's: it reaches whatever the owner has behind it.
    UseTool,
}

impl Power {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::HangUp,
        Self::TakeMessage,
        Self::PressKeys,
        Self::AskOwner,
        Self::Note,
        Self::CallBack,
        Self::PutThrough,
        Self::Remember,
        Self::UseTool,
    ];

    /// How sure one must be of who is on the line, where the owner does not say.
    pub fn needs(self) -> Trust {
        match self {
            Self::HangUp | Self::TakeMessage | Self::PressKeys | Self::AskOwner | Self::Note => {
                Trust::Unknown
            }
            // Strangers who ring once have nobody call them.
            Self::PutThrough | Self::CallBack => Trust::CallerId,
            // Anyone can show a number.
            Self::Remember => Trust::Attested,
            Self::UseTool => Trust::Proven,
        }
    }

    /// Whether it may be used for somebody of whom we are so sure, where the owner wants us to be so sure.
    ///
    /// # Errors
    /// How sure one would have to be.
    pub fn allow(self, wanted: Option<Trust>, trust: Trust) -> Result<(), Trust> {
        let needs = wanted.unwrap_or(self.needs());
        if trust >= needs { Ok(()) } else { Err(needs) }
    }
}

impl Rules {
    /// How sure we are of who is on a call.
    pub fn trust(&self, seen: &Seen<'_>) -> Trust {
        match (seen.proof, seen.direction) {
            (Proof::Pin, _) => Trust::Proven,
            (Proof::Nothing | Proof::PickedUp, Direction::Outbound) => self.called(seen),
            // Nobody can pick up a call that they make.
            (Proof::Nothing | Proof::PickedUp, Direction::Inbound) => self.caller(seen),
        }
    }

    /// Whether what was keyed is the owner's PIN, or that of the contact whose number is shown.
    pub fn proves(&self, number: Option<&Number>, keyed: &Keyed) -> bool {
        // Both are looked at, whatever comes of the first.
        let is = |pin: Option<&Pin>| pin.map_or(Choice::from(0), |it| it.is(keyed));
        (is(self.pin.as_ref()) | is(self.pin_of(number))).into()
    }

    /// Whether there is a PIN that whoever shows this number could key.
    pub fn has_pin(&self, number: Option<&Number>) -> bool {
        self.pin.is_some() || self.pin_of(number).is_some()
    }

    /// Whether there is any PIN at all.
    pub fn has_pins(&self) -> bool {
        let mut contacts = self.call.value.contacts.values();
        self.pin.is_some() || contacts.any(|it| it.value.pin.is_some())
    }

    fn pin_of(&self, number: Option<&Number>) -> Option<&Pin> {
        let mut contacts = self.call.value.contacts.values();
        let contact = contacts.find(|it| Some(&it.value.number) == number)?;
        contact.value.pin.as_ref()
    }

    /// What the owner calls whoever has this number.
    pub fn contact(&self, number: &Number) -> Option<&str> {
        let mut contacts = self.call.value.contacts.iter();
        let contact = contacts.find(|(_, it)| it.value.number == *number);
        contact.map(|(name, _)| name.as_str())
    }

    /// Of whom we called: we know whose number it is only of those the owner knows.
    fn called(&self, seen: &Seen<'_>) -> Trust {
        let known = seen.number.map(Known::of);
        let entry = known.as_ref().and_then(|it| self.call.value.entry(it));
        match (entry, seen.proof) {
            (Some(Entry::Contact(..)), Proof::PickedUp) => Trust::Proven,
            (Some(Entry::Contact(..) | Entry::Number(_)), _) => Trust::CallerId,
            (Some(Entry::Class(_)) | None, _) => Trust::Unknown,
        }
    }

    /// Of who calls: they show a number, as anyone can.
    fn caller(&self, seen: &Seen<'_>) -> Trust {
        match seen.attestation {
            _ if !seen.number.is_some_and(|it| seen.paired || self.knows(it)) => Trust::Unknown,
            Attestation::Full => Trust::Attested,
            Attestation::Partial | Attestation::Failed | Attestation::Nothing => Trust::CallerId,
        }
    }

    /// Whether the owner wrote this number down as one of somebody who may call, or as a contact's.
    fn knows(&self, number: &Number) -> bool {
        let listed = match &self.answer.value {
            Callers::Any => false,
            Callers::These(numbers) => numbers.contains(number),
        };
        listed || self.contact(number).is_some()
    }
}

/// ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE, on the keys of a telephone.
const HIDDEN: [&str; 5] = [
    "+266696687",
    "+7378742833",
    "+2562533",
    "+8656696",
    "+86282452253",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::pin::{Key, Keypad, Starts};
    use crate::rules::tests::{number, rules};
    use crate::whom::{Contact, Listed};

    const MOM: &str = "+15551234567";
    const LISTED: &str = "+4930123456";
    const STRANGER: &str = "+15559876543";

    /// Mom is a contact; another number is listed in both directions.
    fn house(any: bool) -> Rules {
        let callers = Callers::These(BTreeSet::from([number(LISTED)]));
        let mut rules = rules(&[LISTED], if any { Callers::Any } else { callers });
        let mom = Contact {
            number: number(MOM),
            hours: None,
            zone: None,
            consent: None,
            pin: None,
        };
        let contacts = &mut rules.call.value.contacts;
        contacts.insert("mom".to_owned(), Listed::new(mom, "offhook.toml:3"));
        rules
    }

    const VOUCHED: [Attestation; 4] = [
        Attestation::Nothing,
        Attestation::Failed,
        Attestation::Partial,
        Attestation::Full,
    ];
    const PROOFS: [Proof; 3] = [Proof::Nothing, Proof::Pin, Proof::PickedUp];

    #[test]
    fn only_a_listed_number_with_a_verified_level_a_is_attested() {
        for any in [false, true] {
            let rules = house(any);
            for attestation in VOUCHED {
                let trust = |text: &str| {
                    let number = Number::parse(text).ok();
                    rules.trust(&Seen {
                        direction: Direction::Inbound,
                        number: number.as_ref(),
                        attestation,
                        paired: false,
                        proof: Proof::Nothing,
                    })
                };
                let known = if attestation == Attestation::Full {
                    Trust::Attested
                } else {
                    Trust::CallerId
                };
                assert_eq!(trust(MOM), known, "{attestation:?}");
                let listed = if any { Trust::Unknown } else { known };
                assert_eq!(trust(LISTED), listed, "{attestation:?}");
                for nobody in [
                    STRANGER,
                    "",
                    "anonymous",
                    "Restricted",
                    "+266696687",
                    "+1555123456",
                ] {
                    assert_eq!(trust(nobody), Trust::Unknown, "{nobody} {attestation:?}");
                }
            }
        }
    }

    #[test]
    fn whom_the_owner_paired_is_known_by_their_number_and_no_surer() {
        let rules = house(false);
        let stranger = number(STRANGER);
        let trust = |number, attestation| {
            rules.trust(&Seen {
                direction: Direction::Inbound,
                number,
                attestation,
                paired: true,
                proof: Proof::Nothing,
            })
        };
        assert_eq!(
            trust(Some(&stranger), Attestation::Nothing),
            Trust::CallerId
        );
        assert_eq!(trust(Some(&stranger), Attestation::Full), Trust::Attested);
        assert_eq!(trust(None, Attestation::Full), Trust::Unknown);
    }

    #[test]
    fn only_a_pin_or_a_contact_who_picked_up_proves_anything() {
        let rules = house(false);
        for direction in [Direction::Inbound, Direction::Outbound] {
            for who in [Some(MOM), Some(LISTED), Some(STRANGER), None] {
                for attestation in VOUCHED {
                    for proof in PROOFS {
                        let number = who.map(number);
                        let trust = rules.trust(&Seen {
                            direction,
                            number: number.as_ref(),
                            attestation,
                            paired: false,
                            proof,
                        });
                        let called_back = direction == Direction::Outbound
                            && proof == Proof::PickedUp
                            && who == Some(MOM);
                        let proven = proof == Proof::Pin || called_back;
                        let told = format!("{direction:?} {who:?} {attestation:?} {proof:?}");
                        assert_eq!(trust == Trust::Proven, proven, "{told}: {trust:?}");
                    }
                }
            }
        }
    }

    /// Every power, at every level, with every wish of the owner's.
    #[test]
    fn a_power_is_there_exactly_from_the_level_that_it_needs() {
        for power in Power::ALL {
            for trust in Trust::ALL {
                let usual = power.allow(None, trust);
                assert_eq!(usual.is_ok(), trust >= power.needs(), "{power:?} {trust:?}");
                for wanted in Trust::ALL {
                    let allowed = power.allow(Some(wanted), trust);
                    let expected = if trust >= wanted { Ok(()) } else { Err(wanted) };
                    assert_eq!(allowed, expected, "{power:?} {wanted:?} {trust:?}");
                }
                let sensitive = power.allow(Some(Trust::Proven), trust);
                assert_eq!(
                    sensitive.is_ok(),
                    trust == Trust::Proven,
                    "{power:?} {trust:?}"
                );
            }
        }
        assert_eq!(
            Power::HangUp.needs(),
            Trust::Unknown,
            "hanging up is for all"
        );
        assert!(Power::PutThrough.allow(None, Trust::Unknown).is_err());
        assert!(Power::UseTool.allow(None, Trust::Attested).is_err());
    }

    #[test]
    fn a_contacts_pin_is_that_contacts_and_the_owners_is_for_all() {
        let keyed = |text: &str| {
            let mut keypad = Keypad::new(Starts::AtOnce);
            let now = Duration::ZERO;
            let mut keys = text.chars().map(|it| call::Digit::new(it).unwrap());
            match keys.find_map(|it| match keypad.press(now, it) {
                Key::Last(keyed) => Some(keyed),
                Key::Kept | Key::Told(_) => None,
            }) {
                Some(keyed) => keyed,
                None => panic!("it ends with a pound"),
            }
        };
        let mut rules = house(true);
        assert!(!rules.has_pins() && !rules.proves(Some(&number(MOM)), &keyed("1#")));
        rules.pin = Pin::parse("111222");
        assert!(rules.has_pins(), "the owner's");
        rules.pin = None;
        let mom = rules.call.value.contacts.get_mut("mom").unwrap();
        mom.value.pin = Pin::parse("111222");
        assert!(rules.has_pins(), "a contact's");
        rules.pin = Pin::parse("111222");
        let one_for_both = rules.proves(Some(&number(MOM)), &keyed("111222#"));
        assert!(one_for_both, "it is the owner's and hers");
        rules.pin = None;
        let proves = |rules: &Rules, who: Option<&str>, text: &str| {
            rules.proves(who.map(number).as_ref(), &keyed(text))
        };
        assert!(proves(&rules, Some(MOM), "111222#"));
        for (who, text) in [
            (Some(MOM), "111223#"),
            (Some(MOM), "*1#"),
            (Some(LISTED), "111222#"),
            (Some(STRANGER), "111222#"),
            (None, "111222#"),
        ] {
            assert!(!proves(&rules, who, text), "{who:?}");
        }
        assert!(!rules.has_pin(None) && rules.has_pin(Some(&number(MOM))));
        rules.pin = Pin::parse("333444");
        for who in [Some(MOM), Some(LISTED), None] {
            assert!(rules.has_pin(who.map(number).as_ref()));
            assert!(proves(&rules, who, "333444#"), "{who:?}");
        }
    }

    #[test]
    fn a_word_spelt_in_digits_is_no_number() {
        for word in HIDDEN {
            assert!(
                Number::parse(word).is_ok() && shown(word).is_none(),
                "{word}"
            );
            let open = rules(&[], Callers::Any);
            assert_eq!(open.may_answer(word, 0), Ok(None), "{word}");
            let listed = rules(&[], Callers::These(BTreeSet::from([number(word)])));
            assert!(listed.may_answer(word, 0).is_err(), "{word}");
        }
        assert_eq!(shown(MOM), Some(number(MOM)));
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        for trust in Trust::ALL {
            assert_eq!(Trust::parse(trust.as_str()), Some(trust));
        }
        for other in ["", "Proven", "pin", "caller id", "proven "] {
            assert_eq!(Trust::parse(other), None, "{other}");
        }
        assert!(Trust::ALL.is_sorted(), "the later, the surer");
    }

    /// Whoever shows what reads as a listed number is let in and known; nobody else is, however near. A
    /// hundred thousand of them.
    #[test]
    fn a_caller_is_known_exactly_if_they_show_a_listed_number() {
        let rules = house(false);
        let strings = prop_oneof![
            ".{0,20}",
            "\\+?[0-9 ;,pw()-]{0,18}",
            "[+＋]?(1555123456[0-9]|493012345[0-9])[0-9;a-z \n]{0,2}",
            "(sip:|tel:|00)?\\+?(15551234567|4930123456)(@[a-z]{1,5}|;ext=[0-9])?",
        ];
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 100_000,
            ..ProptestConfig::default()
        });
        let held = runner.run(&strings, |text| {
            let number = Number::parse(&text).ok();
            let listed = [MOM, LISTED].contains(&text.as_str());
            let trust = rules.trust(&Seen {
                direction: Direction::Inbound,
                number: number.as_ref(),
                attestation: Attestation::Nothing,
                paired: false,
                proof: Proof::Nothing,
            });
            let known = if listed {
                Trust::CallerId
            } else {
                Trust::Unknown
            };
            prop_assert_eq!(trust, known);
            prop_assert_eq!(rules.may_answer(&text, 0).is_ok(), text == LISTED);
            Ok(())
        });
        held.expect("it holds for all of them");
    }
}
