//! What people say who are in an emergency. No agent has a better answer than to call for help.

use crate::wishes::{find, plain};

/// What to say to somebody who speaks of an emergency that is happening, in the language they spoke; `None`:
/// they do not. Words as a transcriber writes them.
///
/// Wrongly heard as such, somebody hears a sentence too many; wrongly not heard, somebody waits for help that
/// nobody sends. So in doubt it is one, but not where somebody says that there is none.
pub fn emergency(said: &str) -> Option<&'static str> {
    let words = plain(said);
    let words: Vec<&str> = words.split_whitespace().collect();
    let there = |phrase: &&str| find(&words, phrase).is_some();
    if NONE.iter().any(&there) {
        return None;
    }
    let spoken = LANGUAGES.iter().find(|it| it.phrases.iter().any(&there));
    spoken.map(|it| it.answer)
}

/// What is said of it in one language.
struct Language {
    phrases: &'static [&'static str],
    answer: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        answer: "I cannot send help. Please hang up now and dial your emergency number.",
        phrases: &[
            "this is an emergency",
            "its an emergency",
            "it is an emergency",
            "i have an emergency",
            "we have an emergency",
            "need an ambulance",
            "need the ambulance",
            "call an ambulance",
            "send an ambulance",
            "get an ambulance",
            "need the police",
            "call the police",
            "send the police",
            "need the fire department",
            "need the fire brigade",
            "call the fire department",
            "call the fire brigade",
            "call nine one one",
            "call 911",
            "call 999",
            "call 112",
            "having a heart attack",
            "had a heart attack",
            "having a stroke",
            "is not breathing",
            "isnt breathing",
            "not breathing",
            "cant breathe",
            "cannot breathe",
            "is unconscious",
            "bleeding to death",
            "bleeding badly",
            "bleeding heavily",
            "going to kill myself",
            "want to kill myself",
            "i took an overdose",
            "has taken an overdose",
            "house is on fire",
            "kitchen is on fire",
            "building is on fire",
            "there is a fire",
            "theres a fire",
            "i am being attacked",
            "im being attacked",
            "someone is breaking in",
            "somebody is breaking in",
            "has a gun",
            "been shot",
            "been stabbed",
            "smell gas",
        ],
    },
    Language {
        answer: "Ich kann keine Hilfe schicken. Bitte legen Sie jetzt auf und wählen Sie den Notruf.",
        phrases: &[
            "ein notfall",
            "einen notfall",
            "einen krankenwagen",
            "den krankenwagen",
            "einen rettungswagen",
            "einen notarzt",
            "den notarzt",
            "die polizei rufen",
            "rufen sie die polizei",
            "ruf die polizei",
            "brauche die polizei",
            "rufen sie die feuerwehr",
            "brauche die feuerwehr",
            "brauchen die feuerwehr",
            "es brennt",
            "atmet nicht",
            "keine luft",
            "einen herzinfarkt",
            "einen schlaganfall",
            "ist bewusstlos",
            "blutet stark",
            "mich umbringen",
            "bricht jemand ein",
            "werde angegriffen",
            "riecht nach gas",
        ],
    },
    Language {
        answer: "Je ne peux pas envoyer de secours. Raccrochez maintenant et composez le numéro d'urgence.",
        phrases: &[
            "cest une urgence",
            "besoin dune ambulance",
            "appelez une ambulance",
            "envoyez une ambulance",
            "appelez la police",
            "besoin de la police",
            "appelez les pompiers",
            "besoin des pompiers",
            "appelez le samu",
            "il ne respire pas",
            "elle ne respire pas",
            "ne respire plus",
            "narrive pas a respirer",
            "une crise cardiaque",
            "un infarctus",
            "fait un avc",
            "est inconscient",
            "est inconsciente",
            "il y a le feu",
            "la maison brule",
            "au secours",
            "me suicider",
            "me fais agresser",
            "une odeur de gaz",
        ],
    },
    Language {
        answer: "No puedo enviar ayuda. Cuelgue ahora y marque el número de emergencias.",
        phrases: &[
            "es una emergencia",
            "una ambulancia",
            "llame a la policia",
            "llamen a la policia",
            "necesito a la policia",
            "llame a los bomberos",
            "llamen a los bomberos",
            "necesito a los bomberos",
            "no respira",
            "no puedo respirar",
            "un infarto",
            "un ataque al corazon",
            "esta inconsciente",
            "hay fuego",
            "hay un incendio",
            "la casa se quema",
            "quiero suicidarme",
            "me estan atacando",
            "huele a gas",
            "socorro",
        ],
    },
    Language {
        answer: "Non posso mandare soccorsi. Riagganci ora e chiami il numero di emergenza.",
        phrases: &[
            "e unemergenza",
            "una emergenza",
            "unambulanza",
            "una ambulanza",
            "chiami la polizia",
            "chiamate la polizia",
            "chiami i carabinieri",
            "chiamate i carabinieri",
            "chiami i pompieri",
            "chiamate i pompieri",
            "non respira",
            "non riesco a respirare",
            "un attacco di cuore",
            "un ictus",
            "e svenuto",
            "e svenuta",
            "ce un incendio",
            "la casa brucia",
            "va a fuoco",
            "voglio uccidermi",
            "mi stanno aggredendo",
            "odore di gas",
            "aiuto aiuto",
        ],
    },
];

/// What is said where there is none.
const NONE: &[&str] = &[
    "not an emergency",
    "isnt an emergency",
    "no emergency",
    "not a medical emergency",
    "in an emergency",
    "in case of an emergency",
    "in case of emergency",
    "dont need an ambulance",
    "do not need an ambulance",
    "dont call the police",
    "do not call the police",
    "dont call 911",
    "kein notfall",
    "keinen notfall",
    "keinen krankenwagen",
    "im notfall",
    "pas une urgence",
    "pas besoin dune ambulance",
    "no es una emergencia",
    "no necesito una ambulancia",
    "non e unemergenza",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said, and the first word of what is answered.
    const CORPUS: &[(&str, &str)] = &[
        ("I need an ambulance.", "I"),
        ("Please, please send an ambulance to my house!", "I"),
        ("This is an emergency.", "I"),
        ("It’s an emergency!", "I"),
        ("My husband is not breathing.", "I"),
        ("He isn't breathing", "I"),
        ("I can't breathe.", "I"),
        ("I think my mom is having a stroke.", "I"),
        ("She had a heart attack.", "I"),
        ("Call 911!", "I"),
        ("Can you call the police, please?", "I"),
        ("Our kitchen is on fire", "I"),
        ("There's a fire in the hall.", "I"),
        ("Someone is breaking in.", "I"),
        ("I want to kill myself.", "I"),
        ("My friend has been shot.", "I"),
        ("I smell gas.", "I"),
        ("Ich brauche einen Krankenwagen!", "Ich"),
        ("Das ist ein Notfall.", "Ich"),
        ("Schicken Sie einen Notarzt.", "Ich"),
        ("Rufen Sie die Polizei!", "Ich"),
        ("Hilfe, es brennt!", "Ich"),
        ("Mein Vater atmet nicht.", "Ich"),
        ("Sie hat einen Schlaganfall.", "Ich"),
        ("Hier bricht jemand ein.", "Ich"),
        ("C'est une urgence !", "Je"),
        ("J'ai besoin d'une ambulance.", "Je"),
        ("Appelez la police !", "Je"),
        ("Il ne respire pas.", "Je"),
        ("Je n'arrive pas à respirer.", "Je"),
        ("Il fait une crise cardiaque.", "Je"),
        ("La maison brûle !", "Je"),
        ("Es una emergencia.", "No"),
        ("Necesito una ambulancia.", "No"),
        ("¡Llame a la policía!", "No"),
        ("Mi madre no respira.", "No"),
        ("Hay un incendio.", "No"),
        ("È un'emergenza!", "Non"),
        ("Ho bisogno di un'ambulanza.", "Non"),
        ("Chiami la polizia!", "Non"),
        ("Mio padre non respira.", "Non"),
        ("La cucina va a fuoco.", "Non"),
    ];

    #[test]
    fn who_is_in_an_emergency_is_told_to_call_for_help() {
        for (said, first) in CORPUS {
            let answer = emergency(said).unwrap_or_else(|| panic!("{said}"));
            assert_eq!(answer.split(' ').next(), Some(*first), "{said}: {answer}");
        }
    }

    #[test]
    fn who_is_not_is_left_alone() {
        for said in [
            "",
            "Hello.",
            "It is not an emergency, I just wanted to ask about my bill.",
            "Whom should I call in an emergency?",
            "I don't need an ambulance.",
            "The ambulance museum opens at nine.",
            "My heart is broken.",
            "I am calling about the police report.",
            "This game is fire.",
            "I need a doctor's appointment.",
            "Das ist kein Notfall.",
            "Ich brauche keinen Krankenwagen.",
            "Wen rufe ich im Notfall an?",
            "Ce n'est pas une urgence.",
            "No es una emergencia.",
            "Non è un'emergenza.",
        ] {
            assert_eq!(emergency(said), None, "{said}");
        }
    }
}
