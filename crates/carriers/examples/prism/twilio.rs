use ports::{Secret, Settings, Value as Setting};
use serde_json::{Value, json};

use crate::asked::Asked;
use crate::story::{Absent, Sample};

/// Twilio, as its description has it.
pub(crate) fn sample() -> Sample {
    let text = |it: &str| Setting::Text(it.to_owned());
    let secret = |it: &str| Setting::Secret(Secret::new(it));
    let plain = Settings::default()
        .with("account_sid", text("AC00000000000000000000000000000000"))
        .with("auth_token", secret("12345678901234567890123456789012"));
    let key = "SK22222222222222222222222222222222";
    let key = plain.clone().with("api_key", text(key));
    Sample {
        name: "twilio",
        settings: vec![
            ("as it is", plain.clone()),
            ("own machines", plain.clone().with("machines", text("own"))),
            ("its machines", plain.with("machines", text("carrier"))),
            ("API key", key.with("api_secret", secret("s3cret"))),
        ],
        tape: "RE44444444444444444444444444444444",
        leg: "CA11111111111111111111111111111111",
        // The one in the example of an answer.
        number: "+18089255327",
        absent: ABSENT,
        // The description has no word for "none". In its own examples of answers it is an empty text,
        // as in `"sms_application_sid": ""`, though the answers' schema has no word for it either.
        cleared: &["VoiceApplicationSid", "TrunkSid"],
        last_page: |_, _| (),
        scenes: &[
            ("routed to addresses", |_, _| ()),
            ("an application has it", |asked, answer| {
                set(asked, answer, "voice_application_sid", "AP");
            }),
            ("a trunk has it", |asked, answer| {
                set(asked, answer, "trunk_sid", "TK");
            }),
            ("on the second page", |asked, answer| {
                // The list goes on at an address that the carrier makes up.
                if !asked.query.contains("PageToken") {
                    let next = "/2010-04-01/x?PageSize=20&Page=1&PageToken=PA1";
                    answer["next_page_uri"] = json!(next);
                }
            }),
        ],
    }
}

fn set(asked: &Asked, answer: &mut Value, name: &str, kind: &str) {
    if asked.path.ends_with("/IncomingPhoneNumbers.json") {
        let sid = format!("{kind}{}", "3".repeat(32));
        answer["incoming_phone_numbers"][0][name] = json!(sid);
    }
}

const ABSENT: &[Absent] = &[
    Absent {
        method: "GET",
        template: "/2010-04-01/Accounts/{Sid}.json",
        answer: |_| json!({"status": "active", "type": "Full"}),
    },
    Absent {
        method: "GET",
        template: "/2010-04-01/Accounts/{AccountSid}/Recordings/{Sid}.wav",
        answer: |_| json!("sound"),
    },
    // It is at a host of its own, whose description is another.
    Absent {
        method: "GET",
        template: "/v1/DialingPermissions/Countries",
        answer: |_| json!({"content": [{"low_risk_numbers_enabled": true}]}),
    },
];
