//! What is asked of those who sit at a meeting, and whom it can be asked of.

use exchange::phone::{PhonePlan, Step};
use serde_json::{Value, json};

use super::{Town, lines};
use crate::house::{hearing, soon};
use crate::ms;

/// To listen and to talk is an agent's: asked of a person it is refused, and no agent does it instead.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_agent_is_told_to_listen() {
    let stays = || PhonePlan::answers(ms(100), [Step::Wait(ms(8_000)), Step::HangUp]);
    let town = Town::of(&lines(), [stays(), stays(), stays()], || hearing("")).await;
    let room = town.meet(Some("service")).await;
    let everybody =
        |it: &gateway::meeting::View| it.people.iter().filter(|it| it.here).count() == 4;
    soon(room.until(everybody)).await;
    let people = room.view().people;
    let agent = people.iter().find(|it| it.agent).expect("it is there");
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let asked = async |who: &str, what: &str| {
        let url = format!("{}/v1/meetings/{}/people/{who}", town.public, room.id);
        let asked = client.post(url).json(&json!({ "do": what }));
        let asked = asked.bearer_auth(town.gateway.token.reveal()).send();
        let answer = soon(asked).await.expect("it answers");
        let status = answer.status().as_u16();
        let problem: Value = soon(answer.json()).await.unwrap_or_default();
        (
            status,
            problem["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for what in ["listen", "talk"] {
        let refused = asked("Ben", what).await;
        assert_eq!(refused, (422, "meeting.not_an_agent".to_owned()), "{what}");
        let seat = agent.seat.to_string();
        assert_eq!(asked(&seat, what).await.0, 202, "{what}");
    }
    assert_eq!(asked("Nobody", "listen").await.0, 404);
}
