//! Whole calls, as they read.

use expect_test::{Expect, expect};

use super::machine::{Machine, Reply, Script, Then};

/// What happens in a story, beside what the caller says.
const SILENCE: &str = "";
const TAKEN_BACK: &str = "(taken back)";
const KEY: &str = "(presses a key)";

#[test]
fn a_message_is_taken() {
    check(
        &[
            "This is Anna Smith calling.",
            "Please tell Tom that the car is ready. Thank you.",
            "Yes, that's right.",
        ],
        expect![[r#"
            caller This is Anna Smith calling.
             agent Thank you, Anna Smith. What is your message?
            caller Please tell Tom that the car is ready. Thank you.
             agent Thank you. The message from Anna Smith is: Please tell Tom that the car is ready. Is that right?
            caller Yes, that's right.
              note Anna Smith: Please tell Tom that the car is ready.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn everything_in_one_breath() {
    check(
        &[
            "Hi, it's Joe, could you ask Maria to bring the blue folder tomorrow?",
            "Yep.",
        ],
        expect![[r#"
            caller Hi, it's Joe, could you ask Maria to bring the blue folder tomorrow?
             agent Thank you, Joe. The message from Joe is: Could you ask Maria to bring the blue folder tomorrow? Is that right?
            caller Yep.
              note Joe: Could you ask Maria to bring the blue folder tomorrow?
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_wrong_name_is_corrected() {
    check(
        &[
            "Anna Smith.",
            "I will be ten minutes late.",
            "No, my name is Hannah Smith.",
            "Correct.",
        ],
        expect![[r#"
            caller Anna Smith.
             agent Thank you, Anna Smith. What is your message?
            caller I will be ten minutes late.
             agent Thank you. The message from Anna Smith is: I will be ten minutes late. Is that right?
            caller No, my name is Hannah Smith.
             agent I am sorry. The message from Hannah Smith is: I will be ten minutes late. Is that right?
            caller Correct.
              note Hannah Smith: I will be ten minutes late.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_wrong_word_is_corrected() {
    check(
        &[
            "Maria here.",
            "Dinner is on Monday at eight.",
            "No, Tuesday, not Monday.",
            "Yes.",
        ],
        expect![[r#"
            caller Maria here.
             agent Thank you, Maria. What is your message?
            caller Dinner is on Monday at eight.
             agent Thank you. The message from Maria is: Dinner is on Monday at eight. Is that right?
            caller No, Tuesday, not Monday.
             agent I am sorry. The message from Maria is: Dinner is on Tuesday at eight. Is that right?
            caller Yes.
              note Maria: Dinner is on Tuesday at eight.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn what_is_put_right_without_a_no_counts_too() {
    check(
        &[
            "It's Joe.",
            "Meet me at five.",
            "Actually, make that six.",
            "Seven, not six.",
            "Yes.",
        ],
        expect![[r#"
            caller It's Joe.
             agent Thank you, Joe. What is your message?
            caller Meet me at five.
             agent Thank you. The message from Joe is: Meet me at five. Is that right?
            caller Actually, make that six.
             agent I am sorry. The message from Joe is: Meet me at five. Correction: Actually, make that six. Is that right?
            caller Seven, not six.
             agent I am sorry. The message from Joe is: Meet me at five. Correction: Actually, make that seven. Is that right?
            caller Yes.
              note Joe: Meet me at five. Correction: Actually, make that seven.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_no_without_more_is_asked_about() {
    check(
        &[
            "Bob",
            "Sell everything.",
            "No.",
            "The message.",
            "Buy everything.",
            "That's right",
        ],
        expect![[r#"
            caller Bob
             agent Thank you, Bob. What is your message?
            caller Sell everything.
             agent Thank you. The message from Bob is: Sell everything. Is that right?
            caller No.
             agent I am sorry. What should I change, your name or the message?
            caller The message.
             agent All right. What is your message?
            caller Buy everything.
             agent Thank you. The message from Bob is: Buy everything. Is that right?
            caller That's right
              note Bob: Buy everything.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
    check(
        &[
            "Bob",
            "Sell everything.",
            "That's wrong.",
            "My name.",
            "Rob.",
            "Perfect, thanks, bye.",
        ],
        expect![[r#"
            caller Bob
             agent Thank you, Bob. What is your message?
            caller Sell everything.
             agent Thank you. The message from Bob is: Sell everything. Is that right?
            caller That's wrong.
             agent I am sorry. What should I change, your name or the message?
            caller My name.
             agent All right. What is your name?
            caller Rob.
             agent Thank you, Rob. The message from Rob is: Sell everything. Is that right?
            caller Perfect, thanks, bye.
              note Rob: Sell everything.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_message_comes_in_pieces() {
    check(
        &[
            "My name is Bob.",
            "Please tell Maria that",
            "the meeting is moved to five and",
            "um",
            "it is in room two.",
            "And bring the keys.",
            "Yes.",
        ],
        expect![[r#"
            caller My name is Bob.
             agent Thank you, Bob. What is your message?
            caller Please tell Maria that
             agent Go on, please.
            caller the meeting is moved to five and
             agent Go on, please.
            caller um
             agent Go on, please.
            caller it is in room two.
             agent Thank you. The message from Bob is: Please tell Maria that the meeting is moved to five and it is in room two. Is that right?
            caller And bring the keys.
             agent All right. The message from Bob is: Please tell Maria that the meeting is moved to five and it is in room two. Bring the keys. Is that right?
            caller Yes.
              note Bob: Please tell Maria that the meeting is moved to five and it is in room two. Bring the keys.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn words_that_come_again_count_once() {
    check(
        &[
            "This is Anna.",
            "The car is ready.",
            TAKEN_BACK,
            "The car is ready. And it was cheap.",
            "Yes",
            TAKEN_BACK,
            "Yes. But it was not that cheap.",
            "Yes.",
        ],
        expect![[r#"
            caller This is Anna.
             agent Thank you, Anna. What is your message?
            caller The car is ready.
             agent Thank you. The message from Anna is: The car is ready. Is that right?
                   (taken back)
            caller The car is ready. And it was cheap.
             agent Thank you. The message from Anna is: The car is ready. And it was cheap. Is that right?
            caller Yes
              note Anna: The car is ready. And it was cheap.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
                   (taken back)
            caller Yes. But it was not that cheap.
             agent All right. The message from Anna is: The car is ready. And it was cheap. But it was not that cheap. Is that right?
            caller Yes.
              note Anna: The car is ready. And it was cheap. But it was not that cheap.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn silence_is_asked_about_and_then_left_alone() {
    check(
        &[SILENCE, SILENCE, SILENCE, SILENCE, SILENCE, SILENCE],
        expect![[r#"
        caller
         agent Sorry, I did not catch your name. Could you say it again?
        caller
         agent Sorry, I did not catch your name. Could you say it again?
        caller
         agent Never mind the name. What is your message?
        caller
         agent Sorry, I did not hear a message. What should I pass on?
        caller
         agent Sorry, I did not hear a message. What should I pass on?
        caller
         agent I am sorry, I cannot hear you. Please call again. Goodbye.
               hangs up
    "#]],
    );
}

#[test]
fn noise_in_place_of_a_name() {
    check(
        &[
            "It is very, very.",
            "Seven hundred and five",
            "I don't know.",
            "The plumber comes at nine.",
            "Yes",
        ],
        expect![[r#"
            caller It is very, very.
             agent Sorry, I did not catch your name. Could you say it again?
            caller Seven hundred and five
             agent Sorry, I did not catch your name. Could you say it again?
            caller I don't know.
             agent Never mind the name. What is your message?
            caller The plumber comes at nine.
             agent Thank you. The message is: The plumber comes at nine. Is that right?
            caller Yes
              note Unknown caller: The plumber comes at nine.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_confirmation_not_understood_twice_is_taken_as_it_is() {
    check(
        &["Joe.", "The plumber comes at nine.", "Purple.", "Green."],
        expect![[r#"
        caller Joe.
         agent Thank you, Joe. What is your message?
        caller The plumber comes at nine.
         agent Thank you. The message from Joe is: The plumber comes at nine. Is that right?
        caller Purple.
         agent Sorry, is that right? Please say yes or no.
        caller Green.
          note Joe: The plumber comes at nine.
         agent Thank you. I will pass it on. Goodbye.
               hangs up
    "#]],
    );
}

#[test]
fn a_question_is_answered_before_ours_is_asked_again() {
    check(
        &[
            "Hello?",
            "Can I speak to Maria, please?",
            "This is Bob.",
            "What?",
            "Tell her the train is late.",
            "Sorry?",
            "Yes.",
        ],
        expect![[r#"
            caller Hello?
             agent Hello. May I have your name, please?
            caller Can I speak to Maria, please?
             agent I am the answering service, and nobody can come to the phone. I can take a message. May I have your name, please?
            caller This is Bob.
             agent Thank you, Bob. What is your message?
            caller What?
             agent What is your message? I will pass it on.
            caller Tell her the train is late.
             agent Thank you. The message from Bob is: Tell her the train is late. Is that right?
            caller Sorry?
             agent I said: The message from Bob is: Tell her the train is late. Is that right?
            caller Yes.
              note Bob: Tell her the train is late.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn who_leaves_no_message_is_named() {
    check(
        &["It's Joe.", "No, thank you."],
        expect![[r#"
        caller It's Joe.
         agent Thank you, Joe. What is your message?
        caller No, thank you.
          note Joe: Called, and left no message.
         agent All right, I will say that you called. Goodbye.
               hangs up
    "#]],
    );
    check(
        &["I'd rather not say.", "No message."],
        expect![[r#"
        caller I'd rather not say.
         agent That is all right. What is your message?
        caller No message.
          note Unknown caller: Called, and left no message.
         agent All right, I will say that you called. Goodbye.
               hangs up
    "#]],
    );
}

#[test]
fn who_asks_to_leave_a_message_is_let() {
    check(
        &[
            "Hello, I'd like to leave a message.",
            "Joe.",
            "Yes, I have a message.",
            "Call home. That's all.",
            "Uh-huh.",
        ],
        expect![[r#"
            caller Hello, I'd like to leave a message.
             agent Of course. May I have your name, please?
            caller Joe.
             agent Thank you, Joe. What is your message?
            caller Yes, I have a message.
             agent Of course. What should I pass on?
            caller Call home. That's all.
             agent Thank you. The message from Joe is: Call home. Is that right?
            caller Uh-huh.
              note Joe: Call home.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn keys_are_ignored_politely() {
    check(
        &[KEY, KEY, SILENCE, "Joe", KEY, "Call home.", "Yes."],
        expect![[r#"
        caller (presses a key)
        caller (presses a key)
        caller
         agent I cannot use keys, please just speak. Sorry, I did not catch your name. Could you say it again?
        caller Joe
         agent Thank you, Joe. What is your message?
        caller (presses a key)
        caller Call home.
         agent Thank you. The message from Joe is: Call home. Is that right?
        caller Yes.
          note Joe: Call home.
         agent Thank you. I will pass it on. Goodbye.
               hangs up
    "#]],
    );
}

#[test]
fn a_goodbye_interrupted_takes_more() {
    check(
        &[
            "Joe.",
            "Call home.",
            "Yes.",
            "Oh wait, and feed the cat tonight.",
            "Yes.",
            "Thanks, bye!",
        ],
        expect![[r#"
            caller Joe.
             agent Thank you, Joe. What is your message?
            caller Call home.
             agent Thank you. The message from Joe is: Call home. Is that right?
            caller Yes.
              note Joe: Call home.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
            caller Oh wait, and feed the cat tonight.
             agent All right. The message from Joe is: Call home. Feed the cat tonight. Is that right?
            caller Yes.
              note Joe: Call home. Feed the cat tonight.
             agent Thank you. I will pass it on. Goodbye.
                   hangs up
            caller Thanks, bye!
             agent Goodbye.
                   hangs up
        "#]],
    );
}

#[test]
fn a_caller_who_speaks_first_is_greeted() {
    let mut machine = machine(None, None);
    let reply = machine.turn("Hello? Is anyone there?");
    assert_eq!(reply.say, machine_greeting());
    let mut machine = self::machine(None, None);
    let reply = machine.turn("This is Joe, tell Maria I am late.");
    assert!(
        reply
            .say
            .starts_with("Hello, this is the answering service."),
        "{}",
        reply.say
    );
    assert!(
        reply
            .say
            .ends_with("from Joe is: Tell Maria I am late. Is that right?"),
        "{}",
        reply.say
    );
}

#[test]
fn an_opening_said_for_us_is_not_said_again() {
    let mut machine = machine(None, None);
    machine.opened();
    let reply = machine.turn("This is Joe.");
    assert_eq!(reply.say, "Thank you, Joe. What is your message?");
}

#[test]
fn the_owner_is_named_and_their_greeting_kept() {
    let say = |greeting, owner| machine(greeting, owner).open().say;
    assert_eq!(
        say(None, Some("Maria Lopez")),
        "Hello, this is the answering service of Maria Lopez, who cannot come to the phone. \
         I can take a message. May I have your name, please?"
    );
    assert_eq!(
        say(Some("Lopez and Sons."), None),
        "Lopez and Sons. May I have your name, please?"
    );
    assert_eq!(
        say(Some("Lopez. Who is calling?"), None),
        "Lopez. Who is calling?"
    );
}

#[test]
fn a_message_has_an_end() {
    let mut machine = machine(None, None);
    machine.open();
    machine.turn("This is Joe.");
    let mut longest = 0;
    for _ in 0..500 {
        longest = longest.max(
            machine
                .turn("and then there was another word and another,")
                .say
                .len(),
        );
    }
    let reply = machine.turn("That's all.");
    assert!(
        reply.say.len().max(longest) < 5_000,
        "{} {longest}",
        reply.say.len()
    );
}

/// Whatever is said in whatever order: there is an answer, and every call can come to an end.
#[test]
fn nothing_said_confuses_it_for_good() {
    let lines = [
        "",
        "yes",
        "no",
        "no no",
        "Anna",
        "this is Anna",
        "no, my name is Bob",
        "what?",
        "hello",
        "that's all",
        "thank you, bye",
        "call me back please",
        "not Monday",
        "Tuesday, not Monday",
        "the name",
        "the message",
        "both",
        "and",
        "um",
        "İstanbul, not istanbul",
        "’’’ ... !?",
        "who is this",
        "no message",
        "it's",
        "my name is",
        "X, not the",
        "日本語",
        "not",
    ];
    let mut seed: u64 = 7;
    for _ in 0..1_000 {
        let mut machine = machine(None, None);
        machine.open();
        for _ in 0..12 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let pick = usize::try_from(seed >> 33).expect("thirty-one bits fit");
            match pick % 7 {
                0 => machine.abandon(),
                1 => machine.pressed(),
                _ => {}
            }
            let reply = machine.turn(lines[(pick / 7) % lines.len()]);
            assert!(!reply.say.trim().is_empty());
            assert!(!reply.say.contains("  "), "{}", reply.say);
            if let Some(taken) = reply.taken {
                assert!(!taken.name.is_empty() && !taken.text.is_empty());
            }
        }
        // A caller who is silent from now on is not kept for ever.
        let ended = (0..12).any(|_| machine.turn("").then == Then::HangUp);
        assert!(ended);
    }
}

fn check(lines: &[&str], expected: Expect) {
    let mut machine = machine(None, None);
    let mut told = String::new();
    let opening = machine.open();
    assert_eq!(opening.say, machine_greeting());
    for line in lines {
        match *line {
            TAKEN_BACK => {
                machine.abandon();
                told.push_str(&format!("       {TAKEN_BACK}\n"));
            }
            KEY => {
                machine.pressed();
                told.push_str(&format!("caller {KEY}\n"));
            }
            said => {
                told.push_str(format!("caller {said}").trim_end());
                told.push('\n');
                tell(&mut told, &machine.turn(said));
            }
        }
    }
    expected.assert_eq(&told);
}

fn tell(told: &mut String, reply: &Reply) {
    if let Some(taken) = &reply.taken {
        told.push_str(&format!("  note {}: {}\n", taken.name, taken.text));
    }
    told.push_str(&format!(" agent {}\n", reply.say));
    match reply.then {
        Then::Listen => {}
        Then::HangUp => told.push_str("       hangs up\n"),
    }
}

fn machine_greeting() -> String {
    machine(None, None).open().say
}

fn machine(greeting: Option<&str>, owner: Option<&str>) -> Machine {
    let greeting = greeting.map(str::to_owned);
    let owner = owner.map(str::to_owned);
    Machine::new(Script { greeting, owner })
}
