use std::collections::BTreeMap;

use call::Number;
use jiff::tz::TimeZone;

use crate::class::Class;
use crate::hours::Hours;
use crate::kind::Known;
use crate::pin::Pin;
use crate::zone::Zones;

/// A value, and where in the configuration it stands, so that a refusal can say what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The value.
    pub value: T,
    /// Such as `offhook.toml:14`, or `offhook.toml, [policy]` where the line is missing.
    pub at: String,
}

impl<T> Listed<T> {
    /// A value from that line.
    pub fn new(value: T, at: impl Into<String>) -> Self {
        let at = at.into();
        Self { value, at }
    }
}

/// Someone the owner knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Their number.
    pub number: Number,
    /// When they may be called, if that is said of them.
    pub hours: Option<Listed<Hours>>,
    /// Where they live, if that is said of them: else as their number tells.
    pub zone: Option<TimeZone>,
    /// What they agreed to, and when: a reference of the owner's.
    pub consent: Option<String>,
    /// What they key to prove who they are, when they show that number.
    pub pin: Option<Pin>,
}

/// Everybody who may be called. Empty: nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// People, by the names of their tables.
    pub contacts: BTreeMap<String, Listed<Contact>>,
    /// Numbers, each with its line.
    pub numbers: BTreeMap<Number, String>,
    /// Kinds of number, each with its line.
    pub classes: Vec<Listed<Class>>,
}

/// Which line lets a number be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'w> {
    /// A contact's.
    Contact(&'w str, &'w Listed<Contact>),
    /// The number's own.
    Number(&'w str),
    /// That of a class that it belongs to.
    Class(&'w Listed<Class>),
}

impl Whom {
    /// Whether nobody may be called at all.
    pub fn is_nobody(&self) -> bool {
        self.contacts.is_empty() && self.numbers.is_empty() && self.classes.is_empty()
    }

    /// The number that someone means: a contact's name, or the number itself.
    pub fn meant<'t>(&'t self, to: &'t str) -> &'t str {
        let contact = self.contacts.get(to);
        contact.map_or(to, |it| it.value.number.as_str())
    }

    /// The line that lets a number be called; the one that says most about it, if there are several.
    pub fn entry(&self, known: &Known) -> Option<Entry<'_>> {
        let mut contacts = self.contacts.iter();
        let contact = contacts.find(|(_, it)| it.value.number == known.number);
        let contact = contact.map(|(name, it)| Entry::Contact(name, it));
        let number = || self.numbers.get(&known.number).map(|at| Entry::Number(at));
        let class = || self.classes.iter().find(|it| it.value.holds(known));
        contact
            .or_else(number)
            .or_else(|| class().map(Entry::Class))
    }

    /// Every number that is named, which no class names.
    pub fn named(&self) -> impl Iterator<Item = &Number> {
        let contacts = self.contacts.values().map(|it| &it.value.number);
        contacts.chain(self.numbers.keys())
    }
}

impl Entry<'_> {
    /// Where it stands.
    pub fn at(&self) -> &str {
        match self {
            Self::Contact(_, it) => &it.at,
            Self::Number(at) => at,
            Self::Class(it) => &it.at,
        }
    }

    /// Which rule it is, in words, and where it stands.
    pub fn rule(&self) -> String {
        match self {
            Self::Contact(name, it) => format!("[contacts.{name}], {}", it.at),
            Self::Number(at) => format!("`call` in [policy], {at}"),
            Self::Class(it) => format!("`call` in [policy], {}", it.at),
        }
    }

    /// Where the clocks of this number are.
    pub fn zones(&self, number: &Number) -> Zones {
        let said = match self {
            Self::Contact(_, it) => it.value.zone.clone(),
            Self::Number(_) | Self::Class(_) => None,
        };
        said.map_or_else(|| Zones::of(number), Zones::one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    fn contact(text: &str) -> Contact {
        Contact {
            number: number(text),
            hours: None,
            zone: None,
            pin: None,
            consent: None,
        }
    }

    #[test]
    fn a_single_line_is_somebody() {
        assert!(Whom::default().is_nobody());
        let mut contacts = Whom::default();
        let mom = Listed::new(contact("+4930123456"), "offhook.toml:3");
        contacts.contacts.insert("mom".to_owned(), mom);
        let mut numbers = Whom::default();
        let at = "offhook.toml:9".to_owned();
        numbers.numbers.insert(number("+15551234567"), at);
        let mut classes = Whom::default();
        let german = Class::parse("DE").expect("a class");
        classes.classes.push(Listed::new(german, "offhook.toml:10"));
        for whom in [&contacts, &numbers, &classes] {
            assert!(!whom.is_nobody(), "{whom:?}");
        }
        let named = |whom: &Whom| whom.named().cloned().collect::<Vec<_>>();
        assert_eq!(named(&contacts), [number("+4930123456")]);
        assert_eq!(named(&numbers), [number("+15551234567")]);
        assert_eq!(named(&classes), []);
        let at = |whom: &Whom, text| {
            let known = Known::of(&number(text));
            whom.entry(&known).map(|it| it.at().to_owned())
        };
        assert_eq!(
            at(&contacts, "+4930123456").as_deref(),
            Some("offhook.toml:3")
        );
        assert_eq!(
            at(&numbers, "+15551234567").as_deref(),
            Some("offhook.toml:9")
        );
        assert_eq!(
            at(&classes, "+4930123456").as_deref(),
            Some("offhook.toml:10")
        );
        assert_eq!(at(&classes, "+15551234567"), None);
    }
}
