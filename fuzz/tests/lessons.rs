//! What went wrong elsewhere and has no other test: see `docs/advisories.md`.

use gateway::cli::lists;
use gateway::journal::{Journal, Keep, Keys};
use ports::code;

/// CVE-2026-26319: without its key, nothing that came was checked.
#[test]
fn no_carrier_is_there_without_what_proves_its_webhooks() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("offhook.toml");
    for (carrier, keys, proof) in CARRIERS {
        let load = |keys: &[&str]| {
            let keys = keys.join("\n");
            let text = CONFIG.replace("CARRIER", carrier).replace("KEYS", &keys);
            std::fs::write(&path, text).expect("the folder is ours");
            gateway::config::load(&path, &lists()).map(drop)
        };
        load(keys).unwrap_or_else(|problems| panic!("{carrier}: {problems:#?}"));
        let is_proof = |key: &str| key.starts_with(proof);
        let without: Vec<&str> = keys.iter().copied().filter(|it| !is_proof(it)).collect();
        let empty: Vec<String> = keys
            .iter()
            .map(|it| match is_proof(it) {
                true => format!("{proof} = \"\""),
                false => (*it).to_owned(),
            })
            .collect();
        let empty: Vec<&str> = empty.iter().map(String::as_str).collect();
        for (what, keys) in [("missing", &without), ("empty", &empty)] {
            let problems = load(keys).expect_err(what);
            let named = problems.iter().any(|it| it.message.contains(proof));
            assert!(named, "{carrier}: {proof} is {what}: {problems:#?}");
        }
    }
    assert_eq!(CARRIERS.len(), lists().carriers.len());
}

/// OpenClaw's `skipSignatureVerification`, and whatever else of its kind could be thought of.
#[test]
fn no_key_switches_a_check_off() {
    let lists = lists();
    let carriers = lists.carriers.iter().flat_map(|it| it.keys);
    let agents = lists.agents.iter().flat_map(|it| it.keys);
    let vendors = lists.vendors.iter().flat_map(|it| it.keys);
    let plugs = carriers.chain(agents).chain(vendors).map(|it| it.name);
    let table = include_str!("../../README.md").lines();
    let table = table.filter_map(|it| it.strip_prefix("| `")?.split_once('|'));
    let documented = table.flat_map(|(keys, _)| keys.split('`'));
    let all: Vec<&str> = plugs.chain(documented).collect();
    assert!(all.contains(&"public_key") && all.contains(&"max_calls"));
    let words = [
        "skip",
        "verif",
        "insecure",
        "unsafe",
        "disable",
        "trust_proxy",
        "no_auth",
    ];
    let bad: Vec<_> = all
        .iter()
        .filter(|key| words.iter().any(|it| key.contains(it)))
        .filter(|key| !key.starts_with("offhook "))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}

/// OpenClaw's issue 13823: a second one emptied what the first one knew.
#[test]
fn two_gateways_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let open = || Journal::open(folder.path(), Keep::default(), Keys::default());
    let first = open().expect("nobody else is here");
    let second = open().map(drop).expect_err("somebody is here");
    assert_eq!(second.code, code::JOURNAL_TAKEN);
    assert!(second.hint.is_some());
    drop(first);
}

/// With what proves their webhooks.
const CARRIERS: &[(&str, &[&str], &str)] = &[
    (
        "plivo",
        &[
            "auth_id = \"MAZZZZZZZZZZZZZZZZZZ\"",
            "auth_token = \"my_auth_token\"",
        ],
        "auth_token",
    ),
    (
        "telnyx",
        &[
            "api_key = \"KEY\"",
            "public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"",
            "connection_id = \"1\"",
        ],
        "public_key",
    ),
    (
        "twilio",
        &[
            "account_sid = \"AC00000000000000000000000000000000\"",
            "auth_token = \"12345678901234567890123456789012\"",
        ],
        "auth_token",
    ),
];

const CONFIG: &str = r#"
[server]
public_url = "https://voice.example.com"

[carriers.CARRIER]
KEYS

[numbers."+15550001111"]
carrier = "CARRIER"
agent = "reception"

[agents.reception]
kind = "answering-service"

[policy]
answer = ["any"]
"#;
