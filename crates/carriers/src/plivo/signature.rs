//! Proves that a request is Plivo's.
//!
//! Plivo signs the address it was given, a number used once, and of a form every name and value
//! ([V3](https://docs.plivo.com/docs/voice/xml/request/validation)). The older V2 leaves out what the
//! form says, and is not believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use ports::Secret;
use ports::carrier::Request;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The names and values of a form or a query, decoded and in order.
pub type Fields = Vec<(String, String)>;

/// What Plivo writes into `X-Plivo-Signature-V3` for a request to `url` with this form, of no fields
/// if there is none.
pub fn sign(token: &Secret, method: &str, url: &str, form: &Fields, nonce: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.reveal().as_bytes()).expect("HMAC takes any key");
    mac.update(text(method, url, form).as_bytes());
    mac.update(b".");
    mac.update(nonce.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The fields of a form or a query.
pub fn fields(encoded: &[u8]) -> Fields {
    let mut fields: Fields = form_urlencoded::parse(encoded).into_owned().collect();
    fields.sort();
    fields
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// There is no V3 signature, or no nonce beside it.
    Unsigned,
    /// The signature is another one.
    Mismatch,
}

/// Checks a webhook.
pub(super) fn check(request: &Request, token: &Secret) -> Result<(), Doubt> {
    let form = fields(&request.body);
    check_any(request, &[&request.url], &request.method, &form, token)
}

/// Checks the opening of a media socket: signed as a GET, of an address whose scheme nobody says.
pub(super) fn check_socket(request: &Request, token: &Secret) -> Result<(), Doubt> {
    let bare = request.url.split_once("://").map_or("", |(_, rest)| rest);
    let urls = ["wss", "https", "http", "ws"].map(|scheme| format!("{scheme}://{bare}"));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    check_any(request, &urls, "GET", &Fields::new(), token)
}

/// What the signature of a webhook is of: without the nonce, and all of it.
pub(super) fn signed(request: &Request) -> (String, String) {
    let said = text(&request.method, &request.url, &fields(&request.body));
    let nonce = request.header(NONCE).unwrap_or_default();
    let all = format!("{said}.{nonce}");
    (said, all)
}

fn check_any(
    request: &Request,
    urls: &[&str],
    method: &str,
    form: &Fields,
    token: &Secret,
) -> Result<(), Doubt> {
    let nonce = request.header(NONCE).filter(|it| !it.is_empty());
    let nonce = nonce.ok_or(Doubt::Unsigned)?;
    let mut given = HEADERS
        .iter()
        .filter_map(|it| request.header(it))
        .peekable();
    given.peek().ok_or(Doubt::Unsigned)?;
    // While a token is being replaced there are several, with commas in between.
    let given: Vec<&str> = given
        .flat_map(|it| it.split(',').take(MOST))
        .map(str::trim)
        .collect();
    // All are tried, whichever matches: how long this takes tells nothing.
    let mut genuine = subtle::Choice::from(0);
    for url in urls {
        let ours = sign(token, method, url, form, nonce);
        for given in &given {
            genuine |= ours.as_bytes().ct_eq(given.as_bytes());
        }
    }
    bool::from(genuine).then_some(()).ok_or(Doubt::Mismatch)
}

/// What is signed, but for the nonce.
fn text(method: &str, url: &str, form: &Fields) -> String {
    let (bare, query) = url.split_once('?').unwrap_or((url, ""));
    let query = fields(query.as_bytes());
    let pairs: Vec<String> = query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let query = pairs.join("&");
    if method == "GET" || form.is_empty() {
        return match &*query {
            "" => bare.to_owned(),
            query => format!("{bare}?{query}"),
        };
    }
    let dot = if query.is_empty() { "" } else { "." };
    let form: String = form.iter().flat_map(|(k, v)| [&**k, &**v]).collect();
    format!("{bare}?{query}{dot}{form}")
}

/// By the token of the account that the call is in, or of the one above it.
const HEADERS: [&str; 2] = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];
const NONCE: &str = "x-plivo-signature-v3-nonce";

/// So many signatures are looked at in one header.
const MOST: usize = 8;
