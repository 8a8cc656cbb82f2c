//! A call that was recorded, told again. Written by `offhook replay --story`.

use call::event::{End, Party, Why};
use call::input::{Agent, Carrier, Input, Media, Speech};
use call::{Direction, Machine, Mode, Opening, Phrases, Plan, Policy, Recording, TurnId};
use expect_test::expect;
use media::{Cut, Edge, Progress, UtteranceId};
use sim::Recorded;

use crate::script::ms;

#[test]
#[allow(clippy::too_many_lines, reason = "a call is as long as it was")]
fn a_caller_who_interrupts_what_is_read_back_has_it_put_right() {
    let plan = Plan {
        direction: Direction::Outbound,
        mode: Mode::Conversation { opening: Opening::Say("Hello, this is the answering service. Nobody can come to the phone right now, but I can take a message. May I have your name, please?".into()) },
        machine: Machine::Talk,
        policy: Policy::default(),
        phrases: Phrases::default(),
announcement: None,
recording: Recording::Never,
    };
    let call = Recorded::start(ms(0), plan)
        .at(ms(45), Input::Carrier(Carrier::Ringing))
        .at(ms(1_219), Input::Carrier(Carrier::Answered))
        .at(ms(1_237), Input::Carrier(Carrier::Connected))
        .at(ms(1_238), Input::Carrier(Carrier::Answered))
        .at(ms(3_077), Input::Speech(Speech::Length(UtteranceId(1), ms(2_270))))
        .at(ms(5_379), Input::Media(Media::Progress(Progress { utterance: UtteranceId(1), played: ms(2_270), done: true })))
        .at(ms(5_774), Input::Speech(Speech::Length(UtteranceId(2), ms(3_638))))
        .at(ms(5_774), Input::Speech(Speech::Length(UtteranceId(3), ms(1_673))))
        .at(ms(9_419), Input::Media(Media::Progress(Progress { utterance: UtteranceId(2), played: ms(3_638), done: true })))
        .at(ms(11_099), Input::Media(Media::Progress(Progress { utterance: UtteranceId(3), played: ms(1_673), done: true })))
        .at(ms(11_942), Input::Media(Media::Edge(Edge::SpeechStarted { ago: ms(84) })))
        .at(ms(13_003), Input::Speech(Speech::Partial("Hello, my name is A.".into())))
        .at(ms(13_400), Input::Media(Media::Edge(Edge::SpeechEnded { ago: ms(200) })))
        .at(ms(13_801), Input::Timeout)
        .at(ms(13_801), Input::Speech(Speech::Final("Hello, my name is Robert.".into())))
        .at(ms(13_806), Input::Agent(Agent::Say(TurnId(1), "Thank you, Robert. What is your message?".into())))
        .at(ms(13_807), Input::Agent(Agent::Finish(TurnId(1))))
        .at(ms(14_419), Input::Speech(Speech::Length(UtteranceId(4), ms(1_180))))
        .at(ms(15_018), Input::Speech(Speech::Length(UtteranceId(5), ms(1_117))))
        .at(ms(15_598), Input::Media(Media::Progress(Progress { utterance: UtteranceId(4), played: ms(1_180), done: true })))
        .at(ms(16_719), Input::Media(Media::Progress(Progress { utterance: UtteranceId(5), played: ms(1_117), done: true })))
        .at(ms(17_626), Input::Media(Media::Edge(Edge::SpeechStarted { ago: ms(68) })))
        .at(ms(18_613), Input::Speech(Speech::Partial("Please tell her that please tell her that please tell her".into())))
        .at(ms(19_641), Input::Speech(Speech::Partial("Please tell her that the meeting on Thursday they".into())))
        .at(ms(20_709), Input::Speech(Speech::Partial("Please tell her that the meeting on Thursday has been moved to the law to the law to the law.".into())))
        .at(ms(20_979), Input::Media(Media::Edge(Edge::SpeechEnded { ago: ms(196) })))
        .at(ms(21_312), Input::Speech(Speech::EndOfTurn { probability: 0.98089886 }))
        .at(ms(21_312), Input::Timeout)
        .at(ms(21_511), Input::Speech(Speech::Final("Please tell her that the meeting on Thursday has been moved to the large room.".into())))
        .at(ms(21_519), Input::Agent(Agent::Say(TurnId(2), "Thank you. The message from Robert is: Please tell her that the meeting on Thursday has been moved to the large room. Is that right?".into())))
        .at(ms(21_520), Input::Agent(Agent::Finish(TurnId(2))))
        .at(ms(21_698), Input::Speech(Speech::Length(UtteranceId(6), ms(620))))
        .at(ms(22_339), Input::Media(Media::Progress(Progress { utterance: UtteranceId(6), played: ms(620), done: true })))
        .at(ms(22_828), Input::Speech(Speech::Length(UtteranceId(7), ms(4_972))))
        .at(ms(23_055), Input::Speech(Speech::Length(UtteranceId(8), ms(830))))
        .at(ms(25_060), Input::Media(Media::Edge(Edge::SpeechStarted { ago: ms(80) })))
        .at(ms(25_261), Input::Timeout)
        .amid(1, Input::Media(Media::Cut(Some(Cut { utterance: UtteranceId(7), played: ms(2_433) }))))
        .at(ms(25_874), Input::Speech(Speech::Partial("No, wait.".into())))
        .at(ms(26_747), Input::Speech(Speech::Partial("No, wait, it is the meeting.".into())))
        .at(ms(27_439), Input::Media(Media::Edge(Edge::SpeechEnded { ago: ms(192) })))
        .at(ms(27_786), Input::Speech(Speech::EndOfTurn { probability: 0.9848583 }))
        .at(ms(27_786), Input::Timeout)
        .at(ms(27_942), Input::Speech(Speech::Final("No, wait, it is the meeting on Friday.".into())))
        .at(ms(27_943), Input::Agent(Agent::Say(TurnId(3), "I am sorry. The message from Robert is: Please tell her that the meeting on Thursday has been moved to the large room. Correction: wait, it is the meeting on Friday. Is that right?".into())))
        .at(ms(27_949), Input::Agent(Agent::Finish(TurnId(3))))
        .at(ms(28_135), Input::Speech(Speech::Length(UtteranceId(9), ms(980))))
        .at(ms(28_136), Input::Speech(Speech::Length(UtteranceId(10), ms(4_972))))
        .at(ms(28_574), Input::Speech(Speech::Length(UtteranceId(11), ms(3_091))))
        .at(ms(28_574), Input::Speech(Speech::Length(UtteranceId(12), ms(830))))
        .at(ms(29_118), Input::Media(Media::Progress(Progress { utterance: UtteranceId(9), played: ms(980), done: true })))
        .at(ms(34_098), Input::Media(Media::Progress(Progress { utterance: UtteranceId(10), played: ms(4_972), done: true })))
        .at(ms(37_199), Input::Media(Media::Progress(Progress { utterance: UtteranceId(11), played: ms(3_091), done: true })))
        .at(ms(38_018), Input::Media(Media::Progress(Progress { utterance: UtteranceId(12), played: ms(830), done: true })))
        .at(ms(38_880), Input::Media(Media::Edge(Edge::SpeechStarted { ago: ms(80) })))
        .at(ms(39_688), Input::Speech(Speech::Partial("Yes, that is".into())))
        .at(ms(40_219), Input::Media(Media::Edge(Edge::SpeechEnded { ago: ms(268) })))
        .at(ms(40_372), Input::Speech(Speech::EndOfTurn { probability: 0.9557314 }))
        .at(ms(40_372), Input::Timeout)
        .at(ms(40_463), Input::Speech(Speech::Final("Yes, that is right.".into())))
        .at(ms(40_466), Input::Agent(Agent::Message { name: "Robert".into(), text: "Please tell her that the meeting on Thursday has been moved to the large room. Correction: wait, it is the meeting on Friday.".into() }))
        .at(ms(40_466), Input::Agent(Agent::Say(TurnId(4), "Thank you. I will pass it on. Goodbye.".into())))
        .at(ms(40_466), Input::Agent(Agent::HangUp(TurnId(4))))
        .at(ms(40_467), Input::Speech(Speech::Length(UtteranceId(13), ms(620))))
        .at(ms(40_679), Input::Speech(Speech::Length(UtteranceId(14), ms(1_091))))
        .at(ms(40_823), Input::Speech(Speech::Length(UtteranceId(15), ms(600))))
        .at(ms(41_099), Input::Media(Media::Progress(Progress { utterance: UtteranceId(13), played: ms(620), done: true })))
        .at(ms(42_199), Input::Media(Media::Progress(Progress { utterance: UtteranceId(14), played: ms(1_091), done: true })))
        .at(ms(42_799), Input::Media(Media::Progress(Progress { utterance: UtteranceId(15), played: ms(600), done: true })))
        .at(ms(42_803), Input::Carrier(Carrier::Disconnected))
        .at(ms(42_805), Input::Carrier(Carrier::Ended(End { by: Party::Caller, why: Why::HungUp })));
    expect![[r#"
        000000  {"type":"call.dialed"}
        000045  {"type":"call.ringing"}
        001219  {"type":"call.answered"}
        001237  {"type":"call.connected"}
        005379  {"type":"agent.said","text":"Hello, this is the answering service."}
        009419  {"type":"agent.said","text":"Nobody can come to the phone right now, but I can take a message."}
        011099  {"type":"agent.said","text":"May I have your name, please?"}
        011942  {"type":"caller.speech_started"}
        013003  {"type":"caller.hearing","text":"Hello, my name is A."}
        013400  {"type":"caller.speech_ended"}
        013801  {"type":"caller.said","text":"Hello, my name is Robert."}
        013801  {"type":"agent.turn_started","text":"Hello, my name is Robert."}
        015598  {"type":"agent.said","text":"Thank you, Robert."}
        016719  {"type":"agent.said","text":"What is your message?"}
        016719  {"type":"agent.turn_timed","turn":1,"transcribed_ms":601,"told_ms":601,"first_token_ms":606,"first_clause_ms":606,"at_ear_ms":1218}
        017626  {"type":"caller.speech_started"}
        018613  {"type":"caller.hearing","text":"Please tell her that please tell her that please tell her"}
        019641  {"type":"caller.hearing","text":"Please tell her that the meeting on Thursday they"}
        020709  {"type":"caller.hearing","text":"Please tell her that the meeting on Thursday has been moved to the law to the law to the law."}
        020979  {"type":"caller.speech_ended"}
        021511  {"type":"caller.said","text":"Please tell her that the meeting on Thursday has been moved to the large room."}
        021511  {"type":"agent.turn_started","text":"Please tell her that the meeting on Thursday has been moved to the large room."}
        022339  {"type":"agent.said","text":"Thank you."}
        025060  {"type":"caller.speech_started"}
        025261  {"type":"agent.turn_timed","turn":2,"transcribed_ms":728,"told_ms":728,"first_token_ms":736,"first_clause_ms":736,"at_ear_ms":936}
        025261  {"type":"agent.interrupted","heard":"The message from Robert is: Please tell her that","unheard":"the meeting on Thursday has been moved to the large room. Is that right?"}
        025874  {"type":"caller.hearing","text":"No, wait."}
        026747  {"type":"caller.hearing","text":"No, wait, it is the meeting."}
        027439  {"type":"caller.speech_ended"}
        027942  {"type":"caller.said","text":"No, wait, it is the meeting on Friday."}
        027942  {"type":"agent.turn_started","text":"No, wait, it is the meeting on Friday."}
        029118  {"type":"agent.said","text":"I am sorry."}
        034098  {"type":"agent.said","text":"The message from Robert is: Please tell her that the meeting on Thursday has been moved to the large room."}
        037199  {"type":"agent.said","text":"Correction: wait, it is the meeting on Friday."}
        038018  {"type":"agent.said","text":"Is that right?"}
        038018  {"type":"agent.turn_timed","turn":3,"transcribed_ms":695,"told_ms":695,"first_token_ms":696,"first_clause_ms":696,"at_ear_ms":891}
        038880  {"type":"caller.speech_started"}
        039688  {"type":"caller.hearing","text":"Yes, that is"}
        040219  {"type":"caller.speech_ended"}
        040463  {"type":"caller.said","text":"Yes, that is right."}
        040463  {"type":"agent.turn_started","text":"Yes, that is right."}
        040466  {"type":"agent.took_message","name":"Robert","text":"Please tell her that the meeting on Thursday has been moved to the large room. Correction: wait, it is the meeting on Friday."}
        041099  {"type":"agent.said","text":"Thank you."}
        042199  {"type":"agent.said","text":"I will pass it on."}
        042799  {"type":"agent.said","text":"Goodbye."}
        042799  {"type":"agent.turn_timed","turn":4,"transcribed_ms":512,"told_ms":512,"first_token_ms":515,"first_clause_ms":515,"at_ear_ms":528}
        042805  {"type":"call.ended","by":"agent","why":"hung_up"}
    "#]]
    .assert_eq(&call.story());
}
