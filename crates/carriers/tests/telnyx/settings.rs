use ports::{Problem, Secret, Settings, Value};

use super::{entry, settings};

#[test]
fn good_settings_make_a_carrier() {
    assert_eq!(problems(settings()), Vec::<&str>::new());
    let name = (entry().build)(&settings()).expect("they are good").name;
    assert_eq!(name, "Telnyx");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let all = problems(Settings::default());
    assert_eq!(all, ["api_key", "public_key", "connection_id"]);
}

#[test]
fn each_key_is_looked_at() {
    for (key, value) in [
        ("api_key", Value::Secret(Secret::new("KEY with spaces"))),
        ("public_key", Value::Text("KEY0123".to_owned())),
        ("public_key", Value::Text("AAAA".to_owned())),
        ("connection_id", Value::Text("my app".to_owned())),
        ("sound", Value::Text("L16".to_owned())),
        ("l16_order", Value::Text("middle-endian".to_owned())),
        ("api_url", Value::Text("http://api.telnyx.com".to_owned())),
        (
            "api_url",
            Value::Text("https://api.telnyx.com?x=1".to_owned()),
        ),
    ] {
        assert_eq!(problems(settings().with(key, value)), [key]);
    }
    let public = Value::Text(" A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n".to_owned());
    assert!(problems(settings().with("public_key", public)).is_empty());
}

#[test]
fn a_problem_tells_what_to_do_and_no_secret() {
    let settings = settings().with("api_key", Value::Secret(Secret::new("hush hush")));
    let found = (entry().build)(&settings)
        .err()
        .expect("a space is no key's");
    assert!(found.iter().all(|it| !it.hint.is_empty()));
    assert!(!format!("{found:?}").contains("hush"));
}

fn problems(settings: Settings) -> Vec<&'static str> {
    let found: Vec<Problem> = (entry().build)(&settings).err().unwrap_or_default();
    found.into_iter().map(|it| it.key).collect()
}
