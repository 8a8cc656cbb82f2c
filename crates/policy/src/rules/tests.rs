//! Who may be called and who may call, and who not.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::class::Class;
use crate::whom::Contact;

const FRIENDS: [&str; 3] = ["+15551234567", "+4930123456", "+919876543210"];

#[test]
fn a_listed_number_may_be_dialled_while_there_is_room() {
    let rules = rules(&FRIENDS, Callers::These(BTreeSet::new()));
    let permit = rules.may_dial("+15551234567", now(1, 4)).unwrap();
    assert_eq!(permit.number, number("+15551234567"));
    assert_eq!(permit.rule, "`call` in [policy], offhook.toml:20");
    assert_eq!(permit.rate, Money::micros(50_000));
    assert_eq!(
        permit.ceiling,
        Money::micros(100_000),
        "90 seconds, and half a minute more"
    );
    let full = rules.may_dial("+15551234567", now(2, 0));
    let at = "offhook.toml:16".to_owned();
    assert_eq!(full, Err(Refusal::TooManyCalls { most: 2, at }));
    let often = rules.may_dial("+15551234567", now(0, 5));
    let at = "offhook.toml:18".to_owned();
    assert_eq!(often, Err(Refusal::TooOften { most: 5, at }));
}

#[test]
fn an_empty_list_is_nobody() {
    let rules = rules(&[], Callers::These(BTreeSet::new()));
    for friend in FRIENDS {
        let refused = rules.may_dial(friend, now(0, 0));
        assert!(matches!(refused, Err(Refusal::MayNotDial { .. })));
        let refused = rules.may_answer(friend, 0);
        assert!(matches!(refused, Err(Refusal::MayNotCall { .. })));
    }
}

#[test]
fn nothing_but_the_exact_number_is_the_number() {
    let rules = rules(&FRIENDS, these(&FRIENDS));
    for near in NEAR {
        assert!(rules.may_dial(near, now(0, 0)).is_err(), "{near:?}");
        assert!(rules.may_answer(near, 0).is_err(), "{near:?}");
    }
}

#[test]
fn emergency_services_are_never_dialled() {
    let rules = rules(&FRIENDS, Callers::Any);
    for number in ["911", "112", "999", "+911", "+1911", "000", "110", "+112"] {
        let refused = rules.may_dial(number, now(0, 0));
        assert!(matches!(refused, Err(Refusal::NotANumber(_))), "{number}");
    }
}

#[test]
fn a_dangerous_number_is_refused_whatever_the_list_says() {
    let dear = [
        "+19005551234",
        "+491801234567",
        "+881612345678",
        "+447012345678",
        "+10005550123",
    ];
    let mut rules = rules(&dear, Callers::Any);
    let ann = Contact {
        number: number(dear[0]),
        hours: None,
        zone: None,
        consent: None,
        pin: None,
    };
    rules
        .call
        .value
        .contacts
        .insert("ann".into(), Listed::new(ann, "offhook.toml:9"));
    for to in dear.iter().chain(&["ann"]) {
        let refused = rules.may_dial(to, now(0, 0));
        assert!(matches!(refused, Err(Refusal::Dangerous { .. })), "{to}");
        let up = Some(number(dear[0]));
        assert!(!rules.still_allows(Direction::Outbound, up.as_ref()));
    }
}

#[test]
fn our_own_numbers_are_dialled_only_where_that_is_said() {
    let mut rules = rules(&FRIENDS, Callers::Any);
    rules.ours.insert(number(FRIENDS[1]));
    let refused = rules.may_dial(FRIENDS[1], now(0, 0));
    assert!(matches!(refused, Err(Refusal::Ours { .. })));
    rules.call_own.value = true;
    assert!(rules.may_dial(FRIENDS[1], now(0, 0)).is_ok());
}

#[test]
fn a_contact_is_called_by_name() {
    let mut rules = rules(&[], Callers::Any);
    let mom = Contact {
        number: number("+4930123456"),
        hours: Some(Listed::new(
            Hours::parse("10:00-12:00").unwrap(),
            "offhook.toml:5",
        )),
        zone: crate::zone::zone("Asia/Tokyo"),
        consent: None,
        pin: None,
    };
    rules
        .call
        .value
        .contacts
        .insert("mom".into(), Listed::new(mom, "offhook.toml:3"));
    let at = |moment: &str| Now {
        at: moment.parse().unwrap(),
        up: 0,
        standing: Standing::default(),
    };
    for to in ["mom", "+4930123456"] {
        let permit = rules.may_dial(to, at("2026-01-15T01:30:00Z")).unwrap();
        assert_eq!(permit.number, number("+4930123456"));
        assert_eq!(permit.rule, "[contacts.mom], offhook.toml:3");
        let refused = rules.may_dial(to, at("2026-01-15T09:30:00Z"));
        let next = Some("2026-01-16T01:00:00Z".parse().unwrap());
        assert!(matches!(refused, Err(Refusal::WrongTime { next: it, .. }) if it == next));
    }
    let stranger = rules.may_dial("Mom", at("2026-01-15T01:30:00Z"));
    assert!(matches!(stranger, Err(Refusal::NotANumber(_))));
}

#[test]
fn what_was_allowed_is_looked_at_again_when_it_is_dialled() {
    let mut rules = rules(&FRIENDS, Callers::Any);
    let hours = Hours::parse("09:00-17:00").unwrap();
    rules.hours = Some(Listed::new(hours, "offhook.toml:15"));
    let to = number("+4930123456");
    let (day, night) = ("2026-01-15T10:00:00Z", "2026-01-15T02:00:00Z");
    let dialled =
        |at: &str, standing: Standing| rules.may_still_dial(&to, at.parse().unwrap(), &standing);
    // However much was dialled and spent since.
    let much = Standing {
        dialled: 1_000,
        day: Money::micros(u64::MAX),
        ..Standing::default()
    };
    assert_eq!(dialled(day, much), Ok(()));
    let refused = dialled(night, much);
    assert!(matches!(refused, Err(Refusal::WrongTime { .. })));
    let unwanted = Standing {
        unwanted: true,
        ..much
    };
    let refused = dialled(day, unwanted);
    assert!(matches!(refused, Err(Refusal::Unwanted { .. })));
    let stopped = Standing {
        stopped: true,
        ..much
    };
    assert_eq!(dialled(day, stopped), Err(Refusal::Stopped));
    rules.call.value = Whom::default();
    let refused = rules.may_still_dial(&to, day.parse().unwrap(), &much);
    assert!(matches!(refused, Err(Refusal::MayNotDial { .. })));
}

#[test]
fn strangers_are_not_called_at_night() {
    let mut rules = rules(&["+4930123456"], Callers::Any);
    let class = Listed::new(Class::parse("DE").unwrap(), "offhook.toml:14");
    rules.call.value.classes.push(class);
    let at = |moment: &str| Now {
        at: moment.parse().unwrap(),
        up: 0,
        standing: Standing::default(),
    };
    let night = at("2026-01-15T02:00:00Z");
    assert!(
        rules.may_dial("+4930123456", night).is_ok(),
        "the owner named it"
    );
    let refused = rules.may_dial("+4930999999", night);
    assert!(matches!(refused, Err(Refusal::WrongTime { at: None, .. })));
    assert!(
        rules
            .may_dial("+4930999999", at("2026-01-15T10:00:00Z"))
            .is_ok()
    );
    rules.hours = Some(Listed::new(
        Hours::parse("09:00-17:00").unwrap(),
        "offhook.toml:15",
    ));
    assert!(
        rules.may_dial("+4930123456", night).is_err(),
        "for everybody"
    );
    rules.hours = Some(Listed::new(
        Hours::parse("00:00-24:00").unwrap(),
        "offhook.toml:15",
    ));
    assert!(rules.may_dial("+4930999999", night).is_ok());
}

#[test]
fn what_could_cost_too_much_is_not_begun() {
    let rules = rules(&FRIENDS, Callers::Any);
    let with = |standing| {
        let at = Timestamp::UNIX_EPOCH;
        rules.may_dial(
            "+4930123456",
            Now {
                at,
                up: 0,
                standing,
            },
        )
    };
    let day = |micros| Standing {
        day: Money::micros(micros),
        ..Standing::default()
    };
    assert!(with(day(3_000_000)).is_ok());
    let refused = with(day(3_000_001));
    assert!(
        matches!(refused, Err(Refusal::TooDear { beyond, .. }) if beyond.most.at == "offhook.toml:21")
    );
    let often = Standing {
        to_number: 4,
        ..Standing::default()
    };
    assert!(matches!(
        with(often),
        Err(Refusal::TooOftenTo { most: 4, .. })
    ));
}

#[test]
fn who_does_not_want_to_be_called_is_not() {
    let rules = rules(&FRIENDS, Callers::Any);
    let standing = Standing {
        unwanted: true,
        ..Standing::default()
    };
    let now = Now {
        at: Timestamp::UNIX_EPOCH,
        up: 0,
        standing,
    };
    for friend in FRIENDS {
        assert!(matches!(
            rules.may_dial(friend, now),
            Err(Refusal::Unwanted { .. })
        ));
        assert!(rules.may_answer(friend, 0).is_ok(), "they may call");
    }
}

#[test]
fn where_consent_is_required_only_the_owner_is_called_without_it() {
    let mut rules = rules(&FRIENDS, Callers::Any);
    rules.consent.value = Consent::Required;
    rules.owner.insert(number(FRIENDS[0]));
    let mut contact = Contact {
        number: number(FRIENDS[2]),
        hours: None,
        zone: None,
        consent: Some("by letter, 3 May".to_owned()),
        pin: None,
    };
    let listed = |contact: &Contact| Listed::new(contact.clone(), "offhook.toml:9");
    rules
        .call
        .value
        .contacts
        .insert("ann".into(), listed(&contact));
    let ask = |rules: &Rules, to: &str, purposeful| {
        let standing = Standing {
            purposeful,
            ..Standing::default()
        };
        let at = Timestamp::UNIX_EPOCH;
        let now = Now {
            at,
            up: 0,
            standing,
        };
        match rules.may_dial(to, now) {
            Ok(_) => None,
            Err(Refusal::NoConsent { lacks, .. }) => Some(lacks),
            Err(other) => panic!("{other:?}"),
        }
    };
    for (to, purposeful, lacks) in [
        (FRIENDS[0], false, None),
        (FRIENDS[1], true, Some(Lacking::Consent)),
        ("ann", true, None),
        ("ann", false, Some(Lacking::Purpose)),
    ] {
        assert_eq!(ask(&rules, to, purposeful), lacks, "{to}");
    }
    contact.consent = None;
    rules
        .call
        .value
        .contacts
        .insert("ann".into(), listed(&contact));
    assert_eq!(ask(&rules, "ann", true), Some(Lacking::Consent));
    rules.consent.value = Consent::Recorded;
    assert_eq!(ask(&rules, FRIENDS[1], false), None);
}

#[test]
fn what_the_owner_stopped_or_wants_to_be_asked_about_is_refused_unless_they_said_yes() {
    let mut rules = rules(&FRIENDS, Callers::Any);
    let ask = |rules: &Rules, standing: Standing| {
        let at = Timestamp::UNIX_EPOCH;
        let now = Now {
            at,
            up: 0,
            standing,
        };
        rules.may_dial(FRIENDS[0], now)
    };
    let (none, said_yes) = (
        Standing::default(),
        Standing {
            approved: true,
            ..Standing::default()
        },
    );
    assert!(ask(&rules, none).is_ok());
    rules.approve.value = Approve::Always;
    let refused = ask(&rules, none).expect_err("they want to be asked");
    assert!(matches!(
        &refused,
        Refusal::AsksFirst {
            asks: Asks::Approve { .. },
            ..
        }
    ));
    assert_eq!(refused.rule(), "`approve` in [policy], offhook.toml:24");
    assert!(ask(&rules, said_yes).is_ok());
    // A yes opens nothing else.
    let stopped = Standing {
        stopped: true,
        ..said_yes
    };
    assert_eq!(ask(&rules, stopped), Err(Refusal::Stopped));
    let spent = Standing {
        day: Money::micros(5_000_000),
        ..said_yes
    };
    assert!(matches!(ask(&rules, spent), Err(Refusal::TooDear { .. })));
}

#[test]
fn who_hides_is_nobody_unless_anyone_may_call() {
    let open = rules(&[], Callers::Any);
    for hidden in ["", "anonymous", "+266696687x", "\u{202e}+1555"] {
        assert_eq!(open.may_answer(hidden, 0), Ok(None), "{hidden:?}");
        let closed = rules(&[], these(&FRIENDS)).may_answer(hidden, 0);
        let at = "offhook.toml:15".to_owned();
        assert_eq!(closed, Err(Refusal::Hidden { at }));
    }
    let friend = open.may_answer("+4930123456", 1);
    assert_eq!(friend, Ok(Some(number("+4930123456"))));
    let full = open.may_answer("+4930123456", 2);
    assert!(matches!(full, Err(Refusal::TooManyCalls { .. })));
}

#[test]
fn a_call_goes_on_while_its_person_is_listed_for_its_direction() {
    let friend = number(FRIENDS[0]);
    let stranger = number("+15559999999");
    let rules_for = |out: &[&str], into: Callers| {
        let rules = rules(out, into);
        let asked = [Some(&friend), Some(&stranger), None];
        asked.map(|it| {
            let ways = [Direction::Outbound, Direction::Inbound];
            ways.map(|way| rules.still_allows(way, it))
        })
    };
    let neither = [[false, false]; 3];
    assert_eq!(rules_for(&[], Callers::These(BTreeSet::new())), neither);
    let both = rules_for(&FRIENDS, these(&FRIENDS));
    assert_eq!(both, [[true, true], [false, false], [false, false]]);
    let open = rules_for(&[], Callers::Any);
    assert_eq!(open, [[false, true]; 3]);
}

#[test]
fn only_a_number_may_ask_to_be_paired_and_only_where_the_owner_says_so() {
    let mut rules = rules(&[], these(&FRIENDS));
    let stranger = "+15559876543";
    let refused = rules.may_pair(stranger, 0);
    assert!(
        matches!(refused, Err(Refusal::MayNotCall { .. })),
        "{refused:?}"
    );
    rules.pairing = true;
    assert_eq!(rules.may_pair(stranger, 0), Ok(number(stranger)));
    assert!(matches!(
        rules.may_pair(stranger, 2),
        Err(Refusal::TooManyCalls { .. })
    ));
    for hidden in [
        "",
        "anonymous",
        "+266696687x",
        "sip:+15559876543@example.com",
    ] {
        assert!(matches!(
            rules.may_pair(hidden, 0),
            Err(Refusal::Hidden { .. })
        ));
    }
    let answered = rules.may_answer(stranger, 0);
    assert!(
        matches!(answered, Err(Refusal::MayNotCall { .. })),
        "asking is not calling"
    );
}

#[test]
fn what_lets_somebody_in_is_named_with_its_line() {
    let some = rules(&[], these(&FRIENDS));
    assert_eq!(some.lets_in(), "`answer` in [policy], offhook.toml:15");
    let all = rules(&[], Callers::Any);
    assert_eq!(
        all.lets_in(),
        "\"any\" under `answer` in [policy], offhook.toml:15"
    );
    assert_eq!(
        all.lets_pair(),
        "\"pairing\" under `answer` in [policy], offhook.toml:15"
    );
}

#[test]
fn what_a_contact_agreed_to_is_known_and_of_others_nothing() {
    let mut rules = rules(&FRIENDS, Callers::Any);
    let mut agreed = |consent: Option<&str>| {
        let mom = Contact {
            number: number("+4930123456"),
            hours: None,
            zone: None,
            consent: consent.map(str::to_owned),
            pin: None,
        };
        let mom = Listed::new(mom, "offhook.toml:3");
        rules.call.value.contacts.insert("mom".to_owned(), mom);
        let of = |text| rules.consent_of(&Known::of(&number(text)));
        assert_eq!(of("+15551234567"), None);
        of("+4930123456").map(str::to_owned)
    };
    assert_eq!(agreed(None), None);
    assert_eq!(agreed(Some("by mail")).as_deref(), Some("by mail"));
}

/// A hundred thousand strings, from noise to near misses: one is let through exactly if it
/// reads as a number that is on the list.
#[test]
fn allowed_is_what_parses_to_a_listed_number() {
    let friends: BTreeSet<Number> = FRIENDS.iter().map(|it| number(it)).collect();
    let rules = rules(&FRIENDS, these(&FRIENDS));
    let mut random = StdRng::seed_from_u64(2);
    let mut allowed = 0;
    for _ in 0..100_000 {
        let text = strange(&mut random);
        let listed = Number::parse(&text).ok().filter(|it| friends.contains(it));
        let dialled = rules.may_dial(&text, now(0, 0)).ok().map(|it| it.number);
        assert_eq!(dialled, listed, "{text:?}");
        let answered = rules.may_answer(&text, 0).ok().flatten();
        assert_eq!(answered, listed, "{text:?}");
        // What is let through is letter for letter what stands on the list.
        if let Some(number) = listed {
            assert!(FRIENDS.contains(&text.as_str()) && number.as_str() == text);
            allowed += 1;
        }
    }
    assert!(
        allowed > 1_000,
        "only {allowed} were allowed: this shows little"
    );
}

const NEAR: [&str; 25] = [
    "15551234567",
    "+15551234567 ",
    " +15551234567",
    "+1 555 123 4567",
    "+1-555-123-4567",
    "0015551234567",
    "+155512345678",
    "+1555123456",
    "+15551234567;ext=1",
    "+15551234567,",
    "+15551234567p1",
    "tel:+15551234567",
    "sip:+15551234567@example.com",
    "+15551234567@evil",
    "+１5551234567",
    "+15551234567\n",
    "+15551234567\0",
    "++15551234567",
    "+15551234567+15551234567",
    "",
    "+",
    "any",
    "anonymous",
    "Restricted",
    "+266696687",
];

fn strange(random: &mut StdRng) -> String {
    const SIGNS: [char; 16] = [
        '+', '0', '1', '5', '9', ' ', '-', '٣', '５', '\0', '\n', 'a', ';', '@', '(', 'é',
    ];
    if random.random_bool(0.3) {
        let length = random.random_range(0..18);
        return (0..length).filter_map(|_| SIGNS.choose(random)).collect();
    }
    let mut text: Vec<char> = FRIENDS.choose(random).unwrap().chars().collect();
    for _ in 0..random.random_range(0..3) {
        let at = random.random_range(0..text.len());
        let sign = *SIGNS.choose(random).unwrap();
        match random.random_range(0..4) {
            0 => text.insert(at, sign),
            1 => text[at] = sign,
            2 if text.len() > 1 => drop(text.remove(at)),
            _ => text.push(sign),
        }
    }
    text.into_iter().collect()
}

fn now(up: usize, dialled: usize) -> Now {
    Now {
        at: Timestamp::UNIX_EPOCH,
        up,
        standing: Standing {
            dialled,
            ..Standing::default()
        },
    }
}

pub(crate) fn rules(call: &[&str], answer: Callers) -> Rules {
    let line = |line: usize| format!("offhook.toml:{line}");
    let numbers = call.iter().map(|it| (number(it), line(20))).collect();
    let whom = Whom {
        numbers,
        ..Whom::default()
    };
    Rules {
        call: Listed::new(whom, line(14)),
        hours: None,
        ours: BTreeSet::new(),
        owner: BTreeSet::new(),
        call_own: Listed::new(false, line(19)),
        answer: Listed::new(answer, line(15)),
        pairing: false,
        max_calls: Listed::new(2, line(16)),
        max_length: Listed::new(Duration::from_secs(90), line(17)),
        calls_per_hour: Listed::new(5, line(18)),
        new_numbers: Listed::new(3, line(23)),
        approve: Listed::new(Approve::Never, line(24)),
        consent: Listed::new(Consent::Recorded, line(25)),
        opt_out_key: None,
        pin: None,
        rates: Rates::default(),
        limits: Limits {
            per_call: None,
            per_hour: None,
            per_day: Listed::new(Money::micros(5_000_000), line(21)),
            per_month: None,
            per_number: None,
            per_agent: None,
            calls_per_number: Listed::new(4, line(22)),
        },
    }
}

fn these(numbers: &[&str]) -> Callers {
    Callers::These(numbers.iter().map(|it| number(it)).collect())
}

pub(crate) fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}
