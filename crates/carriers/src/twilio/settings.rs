use ports::{Problem, Secret, Settings};

use super::{
    ACCOUNT_SID, API_KEY, API_SECRET, API_URL, AUTH_TOKEN, EDGE, REGION, SECONDARY_AUTH_TOKEN,
};

/// Whose account it is, and what proves it to the API.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// In the path of every request, whatever proves who sends it.
    pub(super) sid: String,
    /// The account's SID, or that of an API key.
    pub(super) user: String,
    /// What belongs to `user`.
    pub(super) secret: Secret,
    /// What webhooks are signed with. An API key signs none.
    pub(super) tokens: Vec<Secret>,
}

impl Account {
    /// Reads the account, and adds what is wrong with it to `problems`.
    pub(super) fn read(settings: &Settings, problems: &mut Vec<Problem>) -> Self {
        let sid = settings.text(ACCOUNT_SID).unwrap_or_default();
        problems.extend(check_sid(sid).err());
        let token = settings.secret(AUTH_TOKEN).cloned();
        let token = token.unwrap_or_else(|| Secret::new(""));
        problems.extend(check_secret(AUTH_TOKEN, "an auth token", TOKEN_HINT, &token).err());
        let secondary = settings.secret(SECONDARY_AUTH_TOKEN);
        problems.extend(secondary.and_then(|it| {
            check_secret(SECONDARY_AUTH_TOKEN, "an auth token", TOKEN_HINT, it).err()
        }));
        let (user, secret) = match (settings.text(API_KEY), settings.secret(API_SECRET)) {
            (None, None) => (sid, token.clone()),
            (Some(key), Some(secret)) => {
                problems.extend(check_key(key).err());
                let checked = check_secret(API_SECRET, "an API secret", SECRET_HINT, secret);
                problems.extend(checked.err());
                (key, secret.clone())
            }
            (Some(_), None) => {
                problems.push(half(API_KEY, "an API key needs its secret", "`api_secret`"));
                (sid, token.clone())
            }
            (None, Some(_)) => {
                problems.push(half(API_SECRET, "an API secret needs its key", "`api_key`"));
                (sid, token.clone())
            }
        };
        let tokens = [Some(&token), secondary];
        Self {
            sid: sid.to_owned(),
            user: user.to_owned(),
            secret,
            tokens: tokens.into_iter().flatten().cloned().collect(),
        }
    }
}

/// Where the API is, as the settings say it: in one word, or in two.
///
/// Source: [regions and edges](https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region):
/// `api.{edge}.{region}.twilio.com`, and credentials of that region's own.
pub(super) fn address(settings: &Settings) -> Result<Option<String>, Problem> {
    let (region, edge) = (settings.text(REGION), settings.text(EDGE));
    let problem = |key, message: &str, hint: &str| {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        Err(Problem { key, message, hint })
    };
    match (region, edge, settings.text(API_URL)) {
        (None, None, url) => Ok(url.map(str::to_owned)),
        (Some(region), Some(edge), None) => {
            let example = "as in `region = \"ie1\"` and `edge = \"dublin\"`";
            match (is_place(region), is_place(edge)) {
                (true, true) => Ok(Some(format!("https://api.{edge}.{region}.twilio.com"))),
                (false, true | false) => problem(REGION, "this is not a region", example),
                (true, false) => problem(EDGE, "this is not an edge", example),
            }
        }
        (Some(_), None, _) => problem(
            REGION,
            "a region is reached through an edge",
            "name that too, as in `edge = \"dublin\"` for ie1 and `edge = \"sydney\"` for au1",
        ),
        (None, Some(_), _) => problem(
            EDGE,
            "an edge leads to a region",
            "name that too, as in `region = \"ie1\"` for dublin and `region = \"au1\"` for sydney",
        ),
        (Some(_), Some(_), Some(_)) => problem(
            API_URL,
            "the API cannot be at an address of its own and in a region",
            "leave out `api_url`, or `region` and `edge`",
        ),
    }
}

/// Whether `text` is one of Twilio's ids: two letters for what it names, and 32 hex digits.
pub(super) fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind)
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// One label of a host name, so that it cannot lead anywhere else.
fn is_place(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (2..=30).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-')
}

fn check_sid(sid: &str) -> Result<(), Problem> {
    if is_sid("AC", sid) {
        return Ok(());
    }
    let hint = if sid.starts_with("SK") {
        "that is the SID of an API key, which goes into `api_key`; the account's own starts with \
         AC, and is on the first page of console.twilio.com"
    } else {
        "copy it from the first page of console.twilio.com, next to the auth token"
    };
    Err(Problem {
        key: ACCOUNT_SID,
        message: "an account SID is AC and 32 hex digits".to_owned(),
        hint: hint.to_owned(),
    })
}

fn check_key(key: &str) -> Result<(), Problem> {
    if is_sid("SK", key) {
        return Ok(());
    }
    Err(Problem {
        key: API_KEY,
        message: "the SID of an API key is SK and 32 hex digits".to_owned(),
        hint: "copy it from API keys & tokens on console.twilio.com".to_owned(),
    })
}

fn check_secret(key: &'static str, what: &str, hint: &str, secret: &Secret) -> Result<(), Problem> {
    let secret = secret.reveal();
    let message = if secret.is_empty() {
        format!("{what} is not empty")
    } else if secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    } else {
        format!("{what} has no spaces, line ends or other odd characters in it")
    };
    Err(Problem {
        key,
        message,
        hint: hint.to_owned(),
    })
}

fn half(key: &'static str, message: &str, missing: &str) -> Problem {
    let hint = format!(
        "write {missing} too, or leave both out: the auth token is then used for requests, as it \
         always is for the signatures of webhooks"
    );
    let message = message.to_owned();
    Problem { key, message, hint }
}

const TOKEN_HINT: &str = "copy it from the first page of console.twilio.com, and write env:NAME \
    or file:PATH here to keep it out of this file; Twilio signs its webhooks with it, so it is \
    needed beside an API key too";

const SECRET_HINT: &str = "Twilio shows it once, when the key is made: if it is lost, make another \
    key; write env:NAME or file:PATH here to keep it out of this file";

#[cfg(test)]
mod tests {
    use ports::{Settings, Value};

    use super::address;

    #[test]
    fn a_region_is_reached_through_its_edge() {
        for (region, edge, expected) in [
            ("ie1", "dublin", "https://api.dublin.ie1.twilio.com"),
            ("au1", "sydney", "https://api.sydney.au1.twilio.com"),
            ("us1", "ashburn-ix", "https://api.ashburn-ix.us1.twilio.com"),
        ] {
            let found = address(&settings(&[("region", region), ("edge", edge)]));
            assert_eq!(found, Ok(Some(expected.to_owned())));
        }
        assert_eq!(address(&settings(&[])), Ok(None));
        let elsewhere = address(&settings(&[("api_url", "http://127.0.0.1:1")]));
        assert_eq!(elsewhere, Ok(Some("http://127.0.0.1:1".to_owned())));
    }

    #[test]
    fn no_region_or_edge_leads_to_another_host() {
        for bad in [
            "",
            "a",
            "ie1.example.com/",
            "IE1",
            "-ie1",
            "ie1@x",
            "ie1#",
            "ie1 ",
        ] {
            let region = address(&settings(&[("region", bad), ("edge", "dublin")]));
            assert_eq!(region.map_err(|it| it.key), Err("region"), "{bad:?}");
            let edge = address(&settings(&[("region", "ie1"), ("edge", bad)]));
            assert_eq!(edge.map_err(|it| it.key), Err("edge"), "{bad:?}");
        }
    }

    #[test]
    fn what_is_half_said_or_said_twice_is_refused() {
        for (written, key) in [
            (&[("region", "ie1")] as &[_], "region"),
            (&[("edge", "dublin")], "edge"),
            (
                &[
                    ("region", "ie1"),
                    ("edge", "dublin"),
                    ("api_url", "http://127.0.0.1:1"),
                ],
                "api_url",
            ),
        ] {
            let problem = address(&settings(written)).expect_err("it is not whole");
            assert_eq!(problem.key, key);
            assert!(!problem.hint.is_empty());
        }
    }

    fn settings(written: &[(&'static str, &str)]) -> Settings {
        let all = written.iter();
        all.fold(Settings::default(), |settings, &(key, value)| {
            settings.with(key, Value::Text(value.to_owned()))
        })
    }
}
