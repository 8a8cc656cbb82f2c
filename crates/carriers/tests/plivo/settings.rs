use ports::{Problem, Secret, Settings, Value};

use super::{entry, settings};

#[test]
fn good_settings_make_a_carrier() {
    assert_eq!(problems(settings()), Vec::<&str>::new());
    let made = (entry().build)(&settings()).expect("they are good");
    assert_eq!(made.name, "Plivo");
    assert!(made.limits.is_none(), "Plivo changes no limit later");
}

#[test]
fn everything_wrong_is_said_at_once() {
    assert_eq!(problems(Settings::default()), ["auth_id", "auth_token"]);
}

#[test]
fn each_key_is_looked_at() {
    for (key, value) in [
        ("auth_id", Value::Text("MA123".to_owned())),
        ("auth_id", Value::Text("ACZZZZZZZZZZZZZZZZZZ".to_owned())),
        ("auth_id", Value::Text("MAZZZZZZZZZZZZZZZZ/Z".to_owned())),
        ("auth_token", Value::Secret(Secret::new("hush hush"))),
        ("sound", Value::Text("wide".to_owned())),
        ("api_url", Value::Text("http://api.plivo.com".to_owned())),
    ] {
        assert_eq!(problems(settings().with(key, value)), [key]);
    }
}

#[test]
fn a_problem_tells_what_to_do_and_no_secret() {
    let settings = settings().with("auth_token", Value::Secret(Secret::new("hush hush")));
    let found = (entry().build)(&settings)
        .err()
        .expect("a space is no token's");
    assert!(found.iter().all(|it| !it.hint.is_empty()));
    assert!(!format!("{found:?}").contains("hush"));
}

fn problems(settings: Settings) -> Vec<&'static str> {
    let found: Vec<Problem> = (entry().build)(&settings).err().unwrap_or_default();
    found.into_iter().map(|it| it.key).collect()
}
