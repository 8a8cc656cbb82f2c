use ports::{Problem, Secret, Settings, Value};

use super::{ACCOUNT, KEY, TOKEN, entry, settings};

#[test]
fn good_settings_make_a_carrier() {
    assert!((entry().build)(&settings()).is_ok());
    for url in [
        "https://api.dublin.ie1.twilio.com",
        "http://127.0.0.1:4010",
        "http://localhost:4010/",
        "http://[::1]:4010",
    ] {
        let settings = settings().with("api_url", Value::Text(url.to_owned()));
        assert!((entry().build)(&settings).is_ok(), "{url}");
    }
}

#[test]
fn every_key_has_a_line_of_help() {
    for key in entry().keys {
        assert!(
            key.help.len() > 20 && !key.help.contains('\n'),
            "{}",
            key.name
        );
    }
}

#[test]
fn bad_settings_are_all_told_at_once() {
    let settings = Settings::default()
        .with("account_sid", Value::Text("SK123".to_owned()))
        .with("auth_token", Value::Secret(Secret::new("pass word")))
        .with("api_url", Value::Text("http://api.example.com".to_owned()));
    let problems = problems(&settings);
    let keys: Vec<_> = problems.iter().map(|it| it.key).collect();
    assert_eq!(keys, ["account_sid", "auth_token", "api_url"]);
    assert!(problems[0].hint.contains("API key"));
    assert!(problems.iter().all(|it| !it.hint.is_empty()));
    assert!(!format!("{problems:?}").contains("pass word"));
}

#[test]
fn the_token_never_travels_in_the_clear() {
    for url in [
        "http://api.twilio.com",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
    ] {
        assert_eq!(
            with_url(url),
            ["the account's secret would travel in the clear"],
            "{url}"
        );
    }
}

#[test]
fn the_address_of_the_api_is_only_an_address() {
    for url in [
        "https://me:pw@api.twilio.com",
        "https://api.twilio.com/?x=1",
        "https://api.twilio.com/#x",
        "api.twilio.com",
        "",
    ] {
        assert_eq!(with_url(url).len(), 1, "{url}");
    }
}

#[test]
fn account_sids_are_read_exactly() {
    for sid in [
        "",
        "AC",
        "AC0000000000000000000000000000000",
        "AC000000000000000000000000000000000",
        "AC0000000000000000000000000000000g",
        "ac00000000000000000000000000000000",
        "AC00000000000000000000000000000000/",
    ] {
        let settings = settings().with("account_sid", Value::Text(sid.to_owned()));
        assert_eq!(problems(&settings)[0].key, "account_sid", "{sid}");
    }
}

#[test]
fn an_api_key_is_whole_and_beside_the_auth_token() {
    let key = ("api_key", Value::Text(KEY.to_owned()));
    let secret = ("api_secret", Value::Secret(Secret::new("its secret's?")));
    let good = ("api_secret", Value::Secret(Secret::new("s3cret")));
    let with = |it: &[(&'static str, Value)]| {
        let all = it.iter().cloned();
        all.fold(settings(), |settings, (key, value)| {
            settings.with(key, value)
        })
    };
    assert!((entry().build)(&with(&[key.clone(), good.clone()])).is_ok());
    for (written, at) in [
        (std::slice::from_ref(&key), "api_key"),
        (std::slice::from_ref(&good), "api_secret"),
        (&[key.clone(), secret], "api_secret"),
        (
            &[("api_key", Value::Text(ACCOUNT.to_owned())), good.clone()],
            "api_key",
        ),
    ] {
        let found = problems(&with(written));
        assert_eq!(found.iter().map(|it| it.key).collect::<Vec<_>>(), [at]);
        assert!(!format!("{found:?}").contains("s3cret"));
    }
    let alone = Settings::default()
        .with("account_sid", Value::Text(ACCOUNT.to_owned()))
        .with(key.0, key.1)
        .with(good.0, good.1);
    let found = problems(&alone);
    assert_eq!(found[0].key, "auth_token");
    assert!(found[0].hint.contains("signs its webhooks"), "{found:?}");
}

#[test]
fn secrets_do_not_print() {
    let settings = settings();
    let printed = format!("{settings:?}");
    assert!(printed.contains(ACCOUNT) && !printed.contains(TOKEN));
}

fn problems(settings: &Settings) -> Vec<Problem> {
    match (entry().build)(settings) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

fn with_url(url: &str) -> Vec<String> {
    let settings = settings().with("api_url", Value::Text(url.to_owned()));
    problems(&settings)
        .into_iter()
        .map(|it| it.message)
        .collect()
}
