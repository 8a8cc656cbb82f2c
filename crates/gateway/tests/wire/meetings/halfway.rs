//! Meetings to which not everybody can be called.

use exchange::EndedBy;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use gateway::switchboard::{Guest, Meet};
use ports::code;

use crate::contract::transfers::{BEN, knows_ben};
use crate::house::{House, THEIRS, exchange_of, soon};
use crate::{listener, ms};

/// There is money for one call and not for two: whoever was called first is not left alone with an agent.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_to_a_meeting_that_one_of_them_is_not_called_to() {
    let timeout = ms(8_000);
    let rings = PhonePlan::answers(ms(3_000), [Step::WaitForHangUp { timeout }]);
    let exchange = exchange_of("twilio").phone(BEN, listener());
    let poor = |path: &std::path::Path, text: String| {
        let text = knows_ben("")(path, text);
        text.replace("max_calls = 2", "max_calls = 8\nspend_per_day = 2")
    };
    let house = House::beside(exchange, rings, Mischief::default(), poor).await;
    let guest = |to: &str| Guest {
        to: to.to_owned(),
        ..Guest::default()
    };
    let meet = Meet {
        guests: vec![guest(THEIRS), guest(BEN)],
        agent: Some("service".to_owned()),
        ..Meet::default()
    };
    let fault = house.gateway.board.meet(meet).await;
    let fault = fault.expect_err("the second one costs too much");
    assert_eq!(fault.code, code::POLICY_SPEND, "{fault}");
    let over = async {
        while !house.gateway.board.meetings().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(over).await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    assert_eq!(outcome.talked, ms(0), "it only rang");
}
