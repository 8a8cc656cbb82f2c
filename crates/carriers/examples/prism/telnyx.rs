use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ports::{Secret, Settings, Value as Setting};
use serde_json::{Value, json};

use crate::story::{Absent, Sample};

/// Telnyx, as its description has it.
pub(crate) fn sample() -> Sample {
    let text = |it: &str| Setting::Text(it.to_owned());
    let plain = Settings::default()
        .with("api_key", Setting::Secret(Secret::new("KEY0123456789")))
        .with("public_key", Setting::Text(STANDARD.encode([7; 32])))
        .with("connection_id", text(CONNECTION));
    let with = |key, value| plain.clone().with(key, text(value));
    Sample {
        name: "telnyx",
        settings: vec![
            ("as it is", plain.clone()),
            ("own machines", with("machines", "own")),
            ("its machines", with("machines", "carrier")),
            ("narrow", with("sound", "narrow")),
            ("L16", with("sound", "l16")),
            ("G.722", with("sound", "g722")),
            ("Opus", with("sound", "opus")),
        ],
        tape: "4577f9a2-cf0e-44f3-ac57-9f95fb03fa47",
        leg: "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg",
        number: NUMBER,
        absent: ABSENT,
        cleared: &[],
        last_page: |asked, answer| {
            if asked.query.contains("after") {
                answer["meta"]["cursors"]["after"] = Value::Null;
            }
        },
        scenes: &[
            ("at our application", |_, _| ()),
            ("at another connection", |asked, answer| {
                if asked.path == "/phone_numbers" {
                    answer["data"][0]["connection_id"] = json!("77");
                }
            }),
        ],
    }
}

/// Numbers are another part of the API, which the data was cut from.
const ABSENT: &[Absent] = &[
    Absent {
        method: "GET",
        template: "/phone_numbers",
        answer: |asked| {
            let page = if asked.query.contains("page%5Bnumber%5D=2") {
                2
            } else {
                1
            };
            json!({"data": [known()], "meta": {"page_number": page, "total_pages": 2}})
        },
    },
    Absent {
        method: "PATCH",
        template: "/phone_numbers/{id}",
        answer: |_| json!({"data": known()}),
    },
];

fn known() -> Value {
    json!({"id": "1293384261075731499", "phone_number": NUMBER, "connection_id": CONNECTION})
}

const NUMBER: &str = "+18089255327";
const CONNECTION: &str = "1494404757140276705";
