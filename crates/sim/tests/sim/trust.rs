//! Who is on the line: what a call makes of it that they proved who they are, that its agent may not do
//! something for them, and that they need help.

use call::Trust;
use call::event::Refused;
use call::input::Command;
use expect_test::expect;
use sim::Happening;

use crate::script::*;

const REFUSED: Refused = Refused {
    code: "policy.trust",
    needs: Trust::Proven,
    trust: Trust::CallerId,
};

#[test]
fn who_needs_help_is_told_to_call_for_it_and_not_by_the_agent() {
    let help = Command::Help("Please hang up and dial your emergency number.".into());
    let world = conversation(&["Have you tried a glass of water?", "All right."])
        .at(1_000, speak(400, "I need an ambulance"))
        .at(2_190, Happening::Command(help))
        .at(7_000, speak(400, "are you there"))
        .run(12_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "I need an ambulance"
        002180  agent.turn_started "I need an ambulance"
        002180    agent: 1 turn "I need an ambulance"
        002200  caller.in_emergency
        002200    agent: 1 abandon
        005180  agent.said "Please hang up and dial your emergency number."
        007040  caller.speech_started
        007580  caller.speech_ended
        008180  caller.said "are you there"
        008180  agent.turn_started "I need an ambulance are you there"
        008180    agent: 2 turn "I need an ambulance are you there"
        009100  agent.said "All right."
        009100    agent: 2 heard "All right."
    "#]],
    );
}

#[test]
fn what_an_agent_may_not_is_told_to_it_and_to_its_caller_once() {
    let refuse = || {
        let sorry = "I am sorry, I cannot put you through.".into();
        Happening::Command(Command::Refuse(REFUSED, sorry))
    };
    let world = conversation(&["One moment, please."])
        .at(1_000, speak(400, "Ben please"))
        .at(2_300, refuse())
        .at(2_310, refuse())
        .run(8_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "Ben please"
        002180  agent.turn_started "Ben please"
        002180    agent: 1 turn "Ben please"
        002300  agent.refused code="policy.trust" needs="proven" trust="caller-id"
        002300    agent: refused policy.trust
        002320  agent.refused code="policy.trust" needs="proven" trust="caller-id"
        002320    agent: refused policy.trust
        003640  agent.said "One moment, please."
        005860  agent.said "I am sorry, I cannot put you through."
    "#]],
    );
}

#[test]
fn who_proved_who_they_are_hears_so_and_so_does_the_agent() {
    let world = conversation(&["Hello."])
        .at(1_000, speak(400, "hello"))
        .at(
            5_000,
            Happening::Command(Command::Disprove("That did not work.".into())),
        )
        .at(
            8_000,
            Happening::Command(Command::Prove("Thank you.".into())),
        )
        .run(12_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        002860  agent.said "Hello."
        002860    agent: 1 heard "Hello."
        005000  caller.failed_proof
        006300  agent.said "That did not work."
        008000  caller.proved
        008000    agent: proved
        008820  agent.said "Thank you."
    "#]],
    );
}
