//! Proves that a request is Twilio's.
//!
//! Twilio signs the address it was given and, of a form, every name and value
//! ([webhook security](https://www.twilio.com/docs/usage/webhooks/webhooks-security)). Nothing
//! else of a request is signed: neither its headers nor its method may be believed for more than
//! choosing how to check.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use ports::Secret;
use ports::carrier::Request;
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;
use url::Url;

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// With the account's auth token. What is used unless something else was agreed on.
    HmacSha1,
    /// With a shared key, which has an id and a secret of its own.
    HmacSha256,
}

/// The fields of a form, as they are signed: each pair once, in the order of their bytes.
pub type Fields<'a> = BTreeSet<(Cow<'a, str>, Cow<'a, str>)>;

/// What Twilio writes into `X-Twilio-Signature`.
pub fn sign(algorithm: Algorithm, secret: &Secret, url: &str, fields: &Fields<'_>) -> String {
    let parts = || {
        let fields = fields.iter().flat_map(|(name, value)| [name, value]);
        std::iter::once(url).chain(fields.map(|it| &**it))
    };
    let secret = secret.reveal().as_bytes();
    match algorithm {
        Algorithm::HmacSha1 => {
            let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret).expect(ANY_LENGTH);
            parts().for_each(|part| mac.update(part.as_bytes()));
            STANDARD.encode(mac.finalize().into_bytes())
        }
        Algorithm::HmacSha256 => {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect(ANY_LENGTH);
            parts().for_each(|part| mac.update(part.as_bytes()));
            STANDARD.encode(mac.finalize().into_bytes())
        }
    }
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// There is no signature at all.
    Unsigned,
    /// It is signed in a way that was not agreed on.
    Algorithm,
    /// It is not a form, and its body is not the one that was signed.
    Body,
    /// The signature is another one.
    Mismatch,
}

/// Checks a request's signature against each of our tokens.
pub(super) fn check(request: &Request, tokens: &[Secret]) -> Result<(), Doubt> {
    let given = request.header("x-twilio-signature");
    let given = given.filter(|it| !it.is_empty()).ok_or(Doubt::Unsigned)?;
    let algorithm = agreed_algorithm(request).ok_or(Doubt::Algorithm)?;
    let fields = signed_fields(request)?;
    // Every spelling and token is tried, whichever matches: how long this takes tells nothing.
    let mut genuine = subtle::Choice::from(0);
    for url in spellings(&request.url) {
        for token in tokens {
            let ours = sign(algorithm, token, &url, &fields);
            genuine |= ours.as_bytes().ct_eq(given.as_bytes());
        }
    }
    bool::from(genuine).then_some(()).ok_or(Doubt::Mismatch)
}

/// All that the signature of a request is of, in one spelling of its address.
pub(super) fn signed(request: &Request) -> String {
    let url = Url::parse(&request.url).map_or_else(|_| request.url.clone(), String::from);
    // Fields that are not what was signed have been refused.
    let fields = signed_fields(request).unwrap_or_default();
    let fields = fields.iter().flat_map(|(name, value)| [&**name, &**value]);
    std::iter::once(url.as_str()).chain(fields).collect()
}

/// The fields of a form. The address's query is no part of them.
pub(super) fn fields(body: &[u8]) -> Fields<'_> {
    form_urlencoded::parse(body).collect()
}

/// We share no key with Twilio, so the one algorithm agreed on is the default, which is also meant where none is
/// named, as Twilio's own libraries read it.
///
/// The header is not signed. Whoever leaves it out or changes it still has to make a signature
/// with the auth token.
fn agreed_algorithm(request: &Request) -> Option<Algorithm> {
    let settings = request.header("x-twilio-webhooks-signature-settings");
    let pairs = settings.unwrap_or_default().split(',');
    let mut pairs = pairs.filter_map(|it| it.split_once('='));
    let named = pairs.find(|(key, name)| key.trim() == "algorithm" && !name.trim().is_empty());
    let name = named.map_or(DEFAULT, |(_, name)| name.trim());
    name.eq_ignore_ascii_case(DEFAULT)
        .then_some(Algorithm::HmacSha1)
}

/// What is signed beside the address: the fields of a form, and of any other body nothing, since
/// its hash is in the address.
fn signed_fields(request: &Request) -> Result<Fields<'_>, Doubt> {
    if is_form(request) {
        return Ok(fields(&request.body));
    }
    let signed_hash = body_hash(&request.url);
    if signed_hash.is_none() && request.body.is_empty() {
        return Ok(Fields::new());
    }
    let hash = hex(&sha2::Sha256::digest(&request.body));
    let same = signed_hash.is_some_and(|it| it.as_bytes().ct_eq(hash.as_bytes()).into());
    same.then(Fields::new).ok_or(Doubt::Body)
}

fn is_form(request: &Request) -> bool {
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    request.method == "POST" && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The hash of the body that Twilio put into the query, if it did.
fn body_hash(url: &str) -> Option<Cow<'_, str>> {
    let query = url.split_once('?')?.1;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| (name == "bodySHA256").then_some(value))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ways in which Twilio is known to write an address before it signs it: as it was given, as a
/// URL library would write it, each with and without its port, and for a socket each with and
/// without a slash at the end of the path.
///
/// Twilio's own libraries accept these too, except that their default port for `wss` is wrong.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    if let Ok(parsed) = Url::parse(url) {
        add(&mut all, parsed.into());
    }
    for at in 0..all.len() {
        if let Some(other) = with_other_port(&all[at]) {
            add(&mut all, other);
        }
    }
    if url.starts_with("wss:") || url.starts_with("ws:") {
        for at in 0..all.len() {
            let other = with_other_slash(&all[at]);
            add(&mut all, other);
        }
    }
    all
}

fn add(all: &mut Vec<String>, url: String) {
    if !all.contains(&url) {
        all.push(url);
    }
}

/// The same address without its port, or with its default port if it has none.
fn with_other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    // The colons of `user:password@` and of `[::1]` are no port's.
    let host = authority.rfind(['@', ']']).unwrap_or(0);
    match authority[host..].find(':') {
        Some(colon) => Some(format!("{scheme}://{}{rest}", &authority[..host + colon])),
        None => {
            let port = match scheme {
                "https" | "wss" => 443,
                "http" | "ws" => 80,
                _ => return None,
            };
            Some(format!("{scheme}://{authority}:{port}{rest}"))
        }
    }
}

/// The same address with a slash at the end of its path, or without it.
fn with_other_slash(url: &str) -> String {
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    match path.strip_suffix('/') {
        Some(path) => format!("{path}{query}"),
        None => format!("{path}/{query}"),
    }
}

/// As Twilio writes it where it says how a request is signed.
const DEFAULT: &str = "HMAC_SHA1";

const ANY_LENGTH: &str = "an HMAC takes a key of any length";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tried_with_and_without_its_port() {
        let cases = [
            ("https://a.example/v?x=1", "https://a.example:443/v?x=1"),
            ("https://a.example:8443/v", "https://a.example/v"),
            ("http://a.example", "http://a.example:80"),
            ("wss://a.example/m", "wss://a.example:443/m"),
            ("wss://a.example:443/m", "wss://a.example/m"),
            ("https://[::1]/v", "https://[::1]:443/v"),
            ("https://[::1]:8443/v", "https://[::1]/v"),
            ("https://me:pw@a.example/v", "https://me:pw@a.example:443/v"),
            ("https://me:pw@a.example:1/v", "https://me:pw@a.example/v"),
            ("https://a.example/v:1@b", "https://a.example:443/v:1@b"),
        ];
        for (url, other) in cases {
            assert_eq!(with_other_port(url).as_deref(), Some(other), "{url}");
        }
        assert_eq!(with_other_port("nonsense"), None);
    }

    #[test]
    fn only_a_socket_is_tried_with_and_without_a_slash() {
        assert!(spellings("wss://a.example/m").contains(&"wss://a.example/m/".to_owned()));
        assert!(spellings("wss://a.example/m/").contains(&"wss://a.example:443/m".to_owned()));
        assert!(!spellings("https://a.example/m").contains(&"https://a.example/m/".to_owned()));
    }

    #[test]
    fn there_are_never_many_spellings() {
        for url in [
            "https://a.example/v",
            "wss://a.example/m?a='b'",
            "wss://a.example:1",
        ] {
            assert!(spellings(url).len() <= 8, "{:?}", spellings(url));
        }
    }
}
