//! The phrases a caller's meaning is told by. In lower case, without punctuation.

#[rustfmt::skip]
pub(crate) const TITLES: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "st", "jr", "sr",
];
#[rustfmt::skip]
pub(crate) const JOINING: &[&str] = &[
    "the", "at", "of", "a",
];
#[rustfmt::skip]
pub(crate) const AFTER_NAME: &[&str] = &[
    "calling", "speaking", "here", "again",
];
#[rustfmt::skip]
pub(crate) const GREETINGS: &[&str] = &[
    "hello", "hi", "hey", "hiya", "hello there", "hi there", "good morning", "good afternoon",
    "good evening", "good day", "greetings",
];
#[rustfmt::skip]
pub(crate) const FILLERS: &[&str] = &[
    "um", "uh", "er", "erm", "ah", "oh", "hmm", "hm", "well", "so", "okay so", "now", "actually",
    "yes well", "like", "you know", "i mean",
];
#[rustfmt::skip]
pub(crate) const UMS: &[&str] = &[
    "um", "uh", "er", "erm", "ah", "oh", "hmm", "hm", "well", "so", "okay so",
];
#[rustfmt::skip]
pub(crate) const THANKS: &[&str] = &[
    "thank you", "thanks", "thank you very much", "thanks a lot", "thank you so much", "please",
    "bye", "goodbye", "bye bye", "bye-bye", "have a nice day", "have a good day", "cheers",
];
#[rustfmt::skip]
pub(crate) const ENOUGH: &[&str] = &[
    "that's all", "that is all", "that's it", "that is it", "that's everything",
    "that is everything", "that will be all", "that'll be all", "nothing else", "no that's all",
    "no that's it", "nothing more", "i'm done", "end of message", "that was all",
];
#[rustfmt::skip]
pub(crate) const ASKING: &[&str] = &[
    "i'd like to leave a message", "i would like to leave a message", "i want to leave a message",
    "i wanted to leave a message", "can i leave a message", "could i leave a message",
    "may i leave a message", "i have a message", "i've got a message", "leave a message",
    "take a message", "the message is", "my message is", "please take a message",
    "can you take a message", "could you take a message", "i'd like to leave him a message",
    "i'd like to leave her a message", "i have a message for him", "i have a message for her",
];
#[rustfmt::skip]
pub(crate) const WILLING: &[&str] = &[
    "yes", "yeah", "ok", "okay", "sure", "all right", "alright", "yes please",
];
#[rustfmt::skip]
pub(crate) const LEADING_OVER: &[&str] = &[
    "and", "also", "oh and", "plus", "one more thing", "please add", "please also", "add",
];
#[rustfmt::skip]
pub(crate) const YES: &[&str] = &[
    "yes", "yeah", "yep", "yup", "yea", "sure", "correct", "right", "exactly", "perfect", "good",
    "fine", "ok", "okay", "absolutely", "indeed", "great", "lovely", "wonderful", "affirmative",
    "that's right", "that is right", "that's correct", "that is correct", "that's fine",
    "that's good", "that's perfect", "that's great", "sounds good", "sounds right", "sounds great",
    "all right", "alright", "you got it", "you've got it", "uh-huh", "mm-hmm", "mhm", "it's right",
    "it's correct", "it's fine", "all good", "of course", "very good", "that works", "quite right",
    "all correct", "please do", "sounds fine", "certainly", "definitely", "aye", "yes it is",
    "yes that's right", "go ahead",
];
/// Words that after a yes, or by themselves, say nothing but yes.
#[rustfmt::skip]
pub(crate) const AGREEING: &[&str] = &[
    "absolutely", "all", "and", "bye", "completely", "correct", "do", "exactly", "fine", "good",
    "goodbye", "great", "is", "it", "it's", "just", "looks", "lovely", "much", "ok", "okay",
    "perfect", "perfectly", "please", "quite", "right", "send", "so", "sounds", "that", "that's",
    "thanks", "thank", "this", "totally", "very", "wonderful", "yeah", "yep", "yes", "you", "nice",
    "to", "me", "have", "a", "day",
];
/// Words that after a no say nothing but no.
#[rustfmt::skip]
pub(crate) const DISAGREEING: &[&str] = &[
    "all", "at", "correct", "incorrect", "is", "isn't", "it", "it's", "no", "nope", "not", "quite",
    "really", "right", "sorry", "that", "that's", "this", "wrong", "what", "i", "said", "you",
];
#[rustfmt::skip]
pub(crate) const NO: &[&str] = &[
    "no", "nope", "nah", "wrong", "incorrect", "not right", "not quite", "not correct",
    "not really", "not exactly", "that's not", "that is not", "this is not", "this isn't",
    "that isn't", "that's wrong", "that is wrong", "that's not right", "that's not correct",
    "that is not right", "that is not correct", "that isn't right", "that isn't correct",
    "it's not", "it isn't", "it is not", "it's wrong", "that's not it", "that's incorrect",
    "that's not quite right", "not at all", "negative", "that's not what i said", "it's not right",
    "it's not correct",
];
#[rustfmt::skip]
pub(crate) const YES_IN_SPITE_OF_NO: &[&str] = &[
    "no that's right", "no that's correct", "no that's fine", "no that's good", "no that's all",
    "no that's it", "no that's perfect", "no problem", "no it's fine", "no it's right",
    "no that is right", "no that is correct", "no that is all", "no you got it", "not bad",
    "no that's great", "no all good", "no worries", "no nothing else", "no thank you that's all",
];
#[rustfmt::skip]
pub(crate) const DECLINING: &[&str] = &[
    "i'd rather not", "i would rather not", "never mind", "nevermind", "it doesn't matter",
    "doesn't matter", "no message", "no name", "i don't want to", "i won't", "no thank you",
    "no thanks", "not important", "it's not important", "no just tell", "that's not important",
    "nothing", "forget it", "don't bother",
];
#[rustfmt::skip]
pub(crate) const PARDON: &[&str] = &[
    "what", "pardon", "sorry", "excuse me", "come again", "say again", "say that again", "repeat",
    "can you repeat", "could you repeat", "can you say that again", "could you say that again",
    "please repeat", "i didn't hear", "i didn't catch", "i did not hear", "what was that",
    "what did you say", "one more time", "huh", "pardon me", "i beg your pardon",
];
#[rustfmt::skip]
pub(crate) const WANTING: &[&str] = &[
    "can i speak", "could i speak", "may i speak", "can i talk", "could i talk", "may i talk",
    "i'd like to speak", "i would like to speak", "i want to speak", "i'd like to talk",
    "i want to talk", "put me through", "connect me", "is there anyone", "who is this",
    "who's this", "who am i speaking", "who are you", "are you a", "are you real", "is this a",
    "am i speaking", "am i talking", "i'm looking for", "i am looking for", "is that", "is this",
    "are you",
];
#[rustfmt::skip]
pub(crate) const INTRODUCING: &[&str] = &[
    "my name is", "my name's", "the name is", "the name's", "name is", "name's",
    "you're speaking to", "you're speaking with", "you are speaking to", "you are speaking with",
    "you're talking to", "my name it's",
];
#[rustfmt::skip]
pub(crate) const PERHAPS_INTRODUCING: &[&str] = &[
    "this is", "i am", "i'm", "it's", "it is", "here is", "here's", "this",
];
#[rustfmt::skip]
pub(crate) const WAIT: &[&str] = &[
    "wait", "hold on", "one moment", "one second", "just a moment", "just a second", "let me see",
    "let me think", "hang on", "a moment", "a second", "please",
];
#[rustfmt::skip]
pub(crate) const ADDING: &[&str] = &[
    "and", "also", "plus", "oh and", "but also", "one more thing", "in addition", "then", "or",
    "but", "please also", "please add", "can you add", "could you add", "add",
];
#[rustfmt::skip]
pub(crate) const ANEW: &[&str] = &[
    "tell", "please tell", "say", "please say", "the message is", "my message is", "i said",
    "the message should be", "just tell", "just say", "ask", "please ask", "let him know",
    "let her know", "let them know",
];
#[rustfmt::skip]
pub(crate) const ITS: &[&str] = &[
    "it's", "it is", "i said", "i meant", "it should be", "make that", "that's", "it was",
];
#[rustfmt::skip]
pub(crate) const CORRECTING: &[&str] = &[
    "i said", "i meant", "it should be", "make that", "make it", "change", "correction", "not",
    "it was", "it's", "they", "there's",
];
#[rustfmt::skip]
pub(crate) const UNFINISHED: &[&str] = &[
    "and", "but", "or", "so", "because", "that", "to", "the", "a", "an", "um", "uh", "er", "is",
    "at", "on", "with", "my", "his", "her", "your", "for", "from", "if", "when", "of", "in", "i",
    "we", "about", "are",
];
#[rustfmt::skip]
pub(crate) const NOT_A_NAME: &[&str] = &[
    "a", "about", "absolutely", "actually", "afraid", "again", "all", "also", "am", "an", "and",
    "any", "anyone", "are", "as", "ask", "at", "back", "be", "because", "bit", "book", "but", "by",
    "bye", "call", "called", "calling", "can", "can't", "cannot", "check", "correct", "could",
    "did", "do", "does", "doesn't", "don't", "done", "fine", "for", "friday", "from", "get", "give",
    "glad", "go", "going", "gonna", "good", "goodbye", "got", "great", "had", "happy", "has",
    "have", "he", "he's", "hear", "hello", "her", "here", "hey", "hi", "him", "his", "hold", "how",
    "i", "i'd", "i'll", "i'm", "i've", "if", "important", "in", "interested", "into", "is", "isn't",
    "it", "it's", "just", "know", "late", "later", "leave", "let", "like", "listen", "looking",
    "make", "may", "maybe", "me", "message", "moment", "monday", "morning", "my", "name", "need",
    "never", "no", "nobody", "nope", "not", "nothing", "now", "number", "of", "off", "ok", "okay",
    "on", "one", "only", "or", "our", "out", "over", "pardon", "phone", "please", "put", "quite",
    "really", "regarding", "returning", "right", "running", "said", "saturday", "say", "she",
    "she's", "should", "sick", "so", "some", "someone", "sorry", "speak", "speaking", "still",
    "stop", "sunday", "sure", "talk", "tell", "test", "thank", "thanks", "that", "that's", "the",
    "them", "then", "there", "there's", "they", "this", "through", "thursday", "time", "to",
    "today", "tomorrow", "tonight", "too", "trying", "tuesday", "two", "um", "uh", "up", "urgent",
    "very", "wait", "waiting", "want", "wanted", "wanting", "was", "we", "we're", "wednesday",
    "well", "were", "what", "what's", "when", "where", "which", "who", "who's", "why", "will",
    "with", "won't", "wondering", "would", "wrong", "yeah", "yep", "yes", "yesterday", "you",
    "you're", "your", "oh", "er", "hmm", "huh", "ready", "doing", "sounds", "perfect", "exactly",
    "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty",
    "thirty", "hundred", "half", "quarter", "noon", "midnight", "january", "february", "march",
    "july", "august", "september", "october", "november", "december", "next", "last", "week",
    "month", "these", "those", "its", "every", "each", "anything", "something", "someone's",
    "everything", "thing", "things", "different",
];
