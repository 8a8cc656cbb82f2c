//! Nothing outside a carrier's or vendor's own room may say its name, so that it can be added,
//! changed and removed there and nowhere else.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::{File, Tree};

/// No name outside its room.
///
/// A name may be said in its own folder or file, in the code lines of its crate's list, in the
/// gateway's configuration, in tests, and in anything that is not Rust. The exchange, which plays
/// the other end of carriers' wires, may name carriers.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let plugs = plugs(tree);
    let mut found = Vec::new();
    for file in tree.below("crates/") {
        if !file.path.ends_with(".rs") || file.is_test() {
            continue;
        }
        for (at, line) in judged_lines(file) {
            for name in said(line, &plugs) {
                if !is_at_home(file, line, &name) {
                    let message = format!("`{name}` is named outside its own room");
                    found.push(Finding::new(&file.path, at, message, HINT));
                }
            }
        }
    }
    found
}

/// A plug's name as its list and the configuration write it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plug {
    krate: String,
    module: String,
    /// As the configuration writes it, where the entry says so in so many words.
    written: Option<String>,
}

/// Everything that plugs in: the modules that make an `Entry`, in the crates that hold a list.
fn plugs(tree: &Tree) -> BTreeSet<Plug> {
    let mut plugs = BTreeSet::new();
    for krate in LISTS {
        let source = format!("crates/{krate}/src/");
        let rooms = tree
            .rust()
            .filter_map(|it| Some((it, it.path.strip_prefix(&source)?)));
        for (file, rest) in rooms {
            let module = rest
                .split('/')
                .next()
                .unwrap_or(rest)
                .trim_end_matches(".rs");
            if module != "lib" && file.text.contains("Entry {") {
                plugs.insert(Plug {
                    krate: (*krate).to_owned(),
                    module: module.to_owned(),
                    written: written_name(&file.text),
                });
            }
        }
    }
    plugs
}

/// The text that an entry has as its `kind` or `name`.
fn written_name(text: &str) -> Option<String> {
    let (_, entry) = text.split_once("Entry {")?;
    let (entry, _) = entry.split_once('}').unwrap_or((entry, ""));
    let after = |key| {
        entry
            .split_once(key)
            .and_then(|(_, rest)| rest.split('"').next())
    };
    after("kind: \"").or(after("name: \"")).map(str::to_owned)
}

/// The pure crates and the plugs keep silent even in their tests; the others may play a carrier
/// there.
fn judged_lines(file: &File) -> Vec<(usize, &str)> {
    let silent = SILENT.iter().any(|it| file.path.starts_with(it));
    if silent {
        file.lines().collect()
    } else {
        file.lines_without_tests().collect()
    }
}

/// The names a line says.
fn said(line: &str, plugs: &BTreeSet<Plug>) -> BTreeSet<String> {
    let lower = line.to_lowercase();
    let mut said = BTreeSet::new();
    for brand in BRANDS {
        if spellings(brand).iter().any(|it| has_word(&lower, it)) {
            said.insert((*brand).to_owned());
        }
    }
    for plug in plugs {
        let is_said = if is_a_brand_by_place(plug) {
            lower.contains(&plug.module)
        } else {
            names_exactly(line, plug)
        };
        if is_said && !BRANDS.contains(&dashed(&plug.module).as_str()) {
            said.insert(dashed(&plug.module));
        }
    }
    said
}

/// A carrier's folder is a company's name, which no other line can mean; a vendor or an agent may
/// be called by an ordinary word.
fn is_a_brand_by_place(plug: &Plug) -> bool {
    matches!(plug.krate.as_str(), "carriers")
}

/// Whether a line says an ordinary word as a name: as a text of its own, or as a path.
fn names_exactly(line: &str, plug: &Plug) -> bool {
    let as_path = format!("{}::{}", plug.krate, plug.module);
    if PROTOCOLS.contains(&plug.module.as_str()) {
        return line.contains(&as_path);
    }
    let spelled = spellings(&dashed(&plug.module));
    let mut as_text = spelled.iter().chain(&plug.written);
    line.contains(&as_path) || as_text.any(|it| line.contains(&format!("\"{it}\"")))
}

/// Whether `word` stands in `line` (in lower case) other than in the middle of a longer word that
/// only happens to contain it.
fn has_word(line: &str, word: &str) -> bool {
    let starts = line.match_indices(word).map(|(at, _)| at);
    let mut before = starts.map(|at| line[..at].chars().next_back());
    before.any(|it| it.is_none_or(|c| !c.is_ascii_lowercase()))
}

/// With a dash, with an underscore, in one word.
fn spellings(name: &str) -> [String; 3] {
    let under = name.replace('-', "_");
    [name.to_owned(), under, name.replace('-', "")]
}

fn dashed(module: &str) -> String {
    module.replace('_', "-")
}

/// Whether this line of this file may say the name.
fn is_at_home(file: &File, line: &str, name: &str) -> bool {
    if file.path.starts_with(CONFIGURATION) {
        return true;
    }
    // The demo writes a configuration of its own, and casts its parts; the carrier is the
    // exchange's business even there.
    if file.path.starts_with(DEMO) {
        return !CARRIERS.contains(&name);
    }
    let Some((krate, rest)) = crate_and_rest(&file.path) else {
        return false;
    };
    match krate {
        // It plays carriers, and knows nothing else of us.
        "exchange" => CARRIERS.contains(&name),
        // A vendor's room may use the engines it is made of.
        "speech" if rest.contains('/') => true,
        // The lists name their entries, and do not talk about them.
        "agents" | "carriers" | "speech" if rest == "lib.rs" => {
            !line.trim_start().starts_with("//")
        }
        "agents" | "carriers" | "speech" => {
            let mut parts = rest.split('/').map(|part| part.trim_end_matches(".rs"));
            parts.any(|part| spellings(name).iter().any(|it| part == it))
        }
        _ => false,
    }
}

fn crate_and_rest(path: &str) -> Option<(&str, &str)> {
    let (krate, rest) = path.strip_prefix("crates/")?.split_once('/')?;
    Some((krate, rest.strip_prefix("src/")?))
}

/// Crates with a list of plugs.
const LISTS: &[&str] = &["agents", "carriers", "speech"];
/// Where a name may not be said even in tests.
const SILENT: &[&str] = &[
    "crates/call/",
    "crates/media/",
    "crates/ports/",
    "crates/sim/",
];

const CONFIGURATION: &str = "crates/gateway/src/config/";
const DEMO: &str = "crates/gateway/src/cli/demo/";

/// The phone companies among them: the exchange may name these, and the demo may not.
const CARRIERS: &[&str] = &["plivo", "telnyx", "twilio"];

/// Agents that are called after what every socket and address says as a text of its own.
const PROTOCOLS: &[&str] = &["http", "websocket"];

/// Names that mean someone wherever they stand.
const BRANDS: &[&str] = &[
    "deepgram",
    "elevenlabs",
    "espeak",
    "flite",
    "moonshine",
    "openai",
    "piper",
    "plivo",
    "silero",
    "smart-turn",
    "telnyx",
    "twilio",
];

const HINT: &str =
    "say it in that plug's own folder, and ask its `Entry` or `Carrier` for what you need here";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::check;

    #[test]
    fn a_carrier_named_in_the_gateway_is_found() {
        let files = [
            (
                "crates/carriers/src/acme/mod.rs",
                "pub const ENTRY: Entry = Entry {",
            ),
            (
                "crates/gateway/src/runner.rs",
                "fn a() {\n  if name == AcmeCalls {",
            ),
            ("crates/gateway/src/hooks.rs", "// as Twilio does"),
        ];
        let expected = [
            "crates/gateway/src/runner.rs:2",
            "crates/gateway/src/hooks.rs:1",
        ];
        assert_eq!(places(check, &files), expected);
    }

    #[test]
    fn a_pure_crate_may_not_name_anyone_even_in_tests() {
        let text = "#[cfg(test)]\nmod tests {\n  // what twilio sends\n}";
        let files = [
            ("crates/call/src/live.rs", text),
            ("crates/gateway/src/runner.rs", text),
        ];
        assert_eq!(places(check, &files), ["crates/call/src/live.rs:3"]);
    }

    #[test]
    fn a_carrier_may_not_name_another() {
        let files = [("crates/carriers/src/telnyx/api.rs", "// unlike plivo")];
        assert_eq!(
            places(check, &files),
            ["crates/carriers/src/telnyx/api.rs:1"]
        );
    }

    #[test]
    fn a_room_its_list_the_configuration_and_tests_may_say_the_name() {
        let files = [
            (
                "crates/carriers/src/twilio/api.rs",
                "struct Twilio; // twilio",
            ),
            ("crates/exchange/src/twilio/rest.rs", "struct Twilio;"),
            ("crates/exchange/src/main.rs", "default = \"/twilio/voice\""),
            (
                "crates/gateway/src/cli/demo/mod.rs",
                "kind = \"answering-service\"",
            ),
            (
                "crates/carriers/src/lib.rs",
                "mod twilio;\n    twilio::ENTRY,",
            ),
            ("crates/gateway/src/config/init.rs", "[carriers.twilio]"),
            ("crates/gateway/tests/serve.rs", "[carriers.twilio]"),
            (
                "crates/speech/src/local/voice.rs",
                "struct Piper; // espeak-ng",
            ),
            ("README.md", "Twilio"),
        ];
        assert!(places(check, &files).is_empty());
    }

    #[test]
    fn the_demo_may_not_name_a_carrier_nor_the_exchange_a_vendor() {
        let files = [
            ("crates/gateway/src/cli/demo/mod.rs", "[carriers.twilio]"),
            ("crates/exchange/src/phone.rs", "run(\"espeak-ng\")"),
        ];
        let expected = [
            "crates/gateway/src/cli/demo/mod.rs:1",
            "crates/exchange/src/phone.rs:1",
        ];
        assert_eq!(places(check, &files), expected);
    }

    #[test]
    fn a_list_may_not_talk_about_its_entries() {
        let files = [(
            "crates/carriers/src/lib.rs",
            "/// Twilio is the first.\nmod twilio;",
        )];
        assert_eq!(places(check, &files), ["crates/carriers/src/lib.rs:1"]);
    }

    #[test]
    fn an_ordinary_word_is_a_name_only_where_it_is_used_as_one() {
        let files = [
            ("crates/speech/src/local/mod.rs", "Entry { name }"),
            ("crates/speech/src/models/mod.rs", "no plug"),
            (
                "crates/agents/src/echo.rs",
                "Entry {\n  kind: \"echo-test\",\n}",
            ),
            (
                "crates/gateway/src/cli.rs",
                "// a local port\nlet local = bind();",
            ),
            ("crates/gateway/src/voice.rs", "if vendor == \"local\" {"),
            ("crates/gateway/src/doctor.rs", "speech::local::models()"),
            ("crates/agents/src/http/mod.rs", "Entry { kind: \"http\" }"),
            ("crates/carriers/src/rest.rs", "url.scheme() == \"http\""),
            ("crates/gateway/src/hand.rs", "agents::http::post()"),
            ("crates/gateway/src/runner.rs", "if kind == \"echo-test\" {"),
        ];
        let expected = [
            "crates/gateway/src/voice.rs:1",
            "crates/gateway/src/doctor.rs:1",
            "crates/gateway/src/hand.rs:1",
            "crates/gateway/src/runner.rs:1",
        ];
        assert_eq!(places(check, &files), expected);
    }

    #[test]
    fn a_longer_word_is_not_a_name() {
        let files = [("crates/gateway/src/a.rs", "sandpiper")];
        assert!(places(check, &files).is_empty());
    }
}
