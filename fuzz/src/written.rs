//! What people and programs write: numbers, rules, orders.

use std::sync::LazyLock;

use call::{Keys, Number};
use gateway::cli::lists;
use gateway::config::Plan;
use gateway::http::{MeetingOrder, Order, Words};
use gateway::switchboard::CallId;
use policy::{Class, Hours, Kind, Known, Money, Prefix};

/// What is a number is one exactly as it is written, in digits alone, and is never shown whole.
pub(crate) fn number(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(number) = Number::parse(text) else {
        return;
    };
    assert_eq!(number.as_str(), text);
    let digits = &text[1..];
    assert!(text.starts_with('+') && digits.bytes().all(|it| it.is_ascii_digit()));
    assert!((7..=15).contains(&digits.len()) && !digits.starts_with('0'));
    assert!(!format!("{number:?}").contains(digits));
    let known = Known::of(&number);
    assert_eq!(known.number, number);
    // One of no country's is dangerous, or nobody's.
    let placed =
        known.country.is_some() || matches!(known.kind, Kind::Dangerous(_) | Kind::Fictitious);
    assert!(placed, "{known:?}");
}

/// What is read is shown as what is read as the same.
pub(crate) fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(hours) = Hours::parse(text) {
        assert_eq!(hours.to_string(), text);
    }
    if let Ok(money) = Money::parse(text) {
        assert_eq!(Money::parse(&money.to_string()), Ok(money));
        assert!(money.as_micros() < 1_000_000_000 * 1_000_000);
    }
    if let Some(prefix) = Prefix::parse(text) {
        assert_eq!(prefix.to_string(), text);
        assert!(text[1..].bytes().all(|it| it.is_ascii_digit()));
    }
    if Class::parse(text).is_ok() {
        let country = text.as_bytes().get(..2);
        assert!(country.is_some_and(|it| it.iter().all(u8::is_ascii_uppercase)));
        // No class holds what is dangerous.
        let class = Class::parse(text).expect("it was just read");
        for number in DANGEROUS {
            let number = Number::parse(number).expect("it is a number");
            assert!(!class.holds(&Known::of(&number)), "{text} holds {number:?}");
        }
    }
    if let Some(zone) = policy::zone(text) {
        assert!(
            zone.iana_name()
                .is_some_and(|it| it.eq_ignore_ascii_case(text))
        );
    }
    if let Some(keys) = Keys::parse(text) {
        assert_eq!(keys.as_str(), text);
        assert!(keys.as_str().len() <= Keys::MOST);
        assert!(keys.length() <= Keys::MOST as u32 * media::KEY_PAUSE);
    }
}

/// Of those who may be called, exactly those are, in exactly one spelling: the number, or the contact's name.
pub(crate) fn dial(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let rules = &PLAN.rules;
    let known = rules.known(text);
    let allowed = known.as_ref().is_ok_and(|it| rules.entry(it).is_ok());
    let number = match text {
        "mom" => Some("+4930123456"),
        other => Some(other).filter(|it| Number::parse(it).is_ok()),
    };
    // Landlines there begin with 1 to 5.
    let french = |it: &str| ('1'..='5').any(|area| it.starts_with(&format!("+33{area}")));
    let named = |it: &str| ["+4930123456", "+15551234567"].contains(&it);
    let listed = number.is_some_and(|it| french(it) || named(it));
    assert!(
        listed || !allowed,
        "{text:?} may be called, and nobody said so"
    );
    assert!(
        allowed || !(named(text) || text == "mom"),
        "{text:?} may not be called"
    );
}

/// An order is read as what is written of it; what names a call can stand in a path.
pub(crate) fn orders(bytes: &[u8]) {
    if let Ok(order) = serde_json::from_slice::<Order>(bytes) {
        let again = serde_json::to_vec(&order).expect("it is plain data");
        assert_eq!(
            serde_json::from_slice::<Order>(&again).ok(),
            Some(order.clone())
        );
        let to = order.to.clone();
        assert_eq!(order.into_wish().to, to);
    }
    if let Ok(order) = serde_json::from_slice::<MeetingOrder>(bytes) {
        let again = serde_json::to_vec(&order).expect("it is plain data");
        let read = serde_json::from_slice::<MeetingOrder>(&again).expect("it was just written");
        assert_eq!(read.people.len(), order.people.len());
    }
    if let Ok(words) = serde_json::from_slice::<Words>(bytes) {
        let again = serde_json::to_vec(&words).expect("it is plain data");
        let read = serde_json::from_slice::<Words>(&again).expect("it was just written");
        assert_eq!(read.text, words.text);
    }
    if let Some(id) = std::str::from_utf8(bytes).ok().and_then(CallId::parse) {
        let name = id.to_string();
        assert!(name.len() == 32 && name.bytes().all(|it| it.is_ascii_hexdigit()));
        assert_eq!(CallId::parse(&name), Some(id));
    }
}

/// Premium rate, satellites, shared cost, nobody's.
const DANGEROUS: [&str; 6] = [
    "+19005551234",
    "+881612345678",
    "+882161234567",
    "+4990012345678",
    "+44871234567",
    "+999123456789",
];

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("offhook.toml");
    std::fs::write(&path, CONFIG).expect("the folder is ours");
    let loaded = gateway::config::load(&path, &lists());
    loaded
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .plan
});

const CONFIG: &str = r#"
[server]
public_url = "https://voice.example.com"

[carriers.twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "12345678901234567890123456789012"

[numbers."+15550001111"]
carrier = "twilio"
agent = "reception"

[agents.reception]
kind = "answering-service"

[contacts.mom]
number = "+4930123456"

[policy]
call = ["+15551234567", "FR landline"]
"#;
