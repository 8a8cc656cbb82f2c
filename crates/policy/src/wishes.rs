//! What people say who do not want to be called again.

/// Whether someone says that they are not to be called any more, in whatever turn and in one of a few
/// languages. Words as a transcriber writes them: case, punctuation and accents do not matter.
///
/// Wrongly heard as such, somebody is not called who might have been; wrongly not heard, somebody is
/// called who must not be (47 CFR 64.1200(d)(3)). So in doubt it is one, but not where the words go on to
/// say when or how to call instead.
pub fn opts_out(said: &str) -> bool {
    let words = plain(said);
    let words: Vec<&str> = words.split_whitespace().collect();
    let ends = |rest: &[&str]| rest.first().is_none_or(|it| CLOSING.contains(it));
    let anywhere = ALWAYS.iter().any(|it| find(&words, it).is_some());
    let closing = LAST
        .iter()
        .any(|it| find(&words, it).is_some_and(|at| ends(&words[at..])));
    (anywhere || closing) && !NEVER.iter().any(|it| find(&words, it).is_some())
}

/// Where a phrase ends in some words, if it is there.
pub(crate) fn find(words: &[&str], phrase: &str) -> Option<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let at = words.windows(phrase.len()).position(|it| it == phrase)?;
    Some(at + phrase.len())
}

/// Small letters without accents, and one space for all that is no letter or digit. Apostrophes are dropped.
pub(crate) fn plain(said: &str) -> String {
    let lower = said.chars().flat_map(char::to_lowercase);
    let letters = lower
        .filter(|it| !['\'', '’', '`'].contains(it))
        .map(|it| match it {
            'à' | 'á' | 'â' | 'ã' => 'a',
            'ç' => 'c',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ì' | 'í' | 'î' => 'i',
            'ñ' => 'n',
            'ò' | 'ó' | 'ô' | 'õ' => 'o',
            'ù' | 'ú' | 'û' => 'u',
            other if other.is_alphanumeric() => other,
            _ => ' ',
        });
    letters.collect()
}

/// Phrases that mean it whatever follows.
const ALWAYS: &[&str] = &[
    "stop calling me",
    "stop calling us",
    "stop calling this number",
    "stop calling here",
    "stop phoning",
    "stop ringing me",
    "quit calling",
    "dont call me again",
    "do not call me again",
    "dont call me any more",
    "dont call me anymore",
    "do not call me anymore",
    "do not call me any more",
    "dont call me at all",
    "do not call me at all",
    "dont ever call",
    "do not ever call",
    "dont call us again",
    "do not call us again",
    "dont call here again",
    "do not call here again",
    "dont call this number",
    "do not call this number",
    "never call me",
    "never call us",
    "never call this number",
    "never call here",
    "dont phone me again",
    "dont ring me again",
    "take me off your list",
    "take me off the list",
    "take me off this list",
    "take us off your list",
    "take my number off",
    "take me off your calling list",
    "remove me from your list",
    "remove me from the list",
    "remove me from this list",
    "remove me from your calling list",
    "remove my number",
    "delete my number",
    "lose my number",
    "put me on your do not call list",
    "put me on the do not call list",
    "i want to opt out",
    "id like to opt out",
    "opt me out",
    "i revoke my consent",
    "i withdraw my consent",
    "dont want any more calls",
    "no more calls",
    "dont want you to call me",
    "do not want you to call me",
    "rufen sie mich nicht mehr an",
    "rufen sie mich nie wieder an",
    "rufen sie hier nicht mehr an",
    "rufen sie nicht mehr an",
    "ruf mich nicht mehr an",
    "ruf mich nie wieder an",
    "horen sie auf mich anzurufen",
    "hören sie auf mich anzurufen",
    "keine anrufe mehr",
    "nehmen sie mich von der liste",
    "streichen sie mich von der liste",
    "löschen sie meine nummer",
    "ne mappelez plus",
    "arretez de mappeler",
    "ne me rappelez plus",
    "ne me telephonez plus",
    "retirez moi de votre liste",
    "supprimez mon numero",
    "enlevez moi de votre liste",
    "no me llame mas",
    "no me llamen mas",
    "deje de llamarme",
    "dejen de llamarme",
    "no vuelva a llamarme",
    "no me vuelva a llamar",
    "no vuelvan a llamarme",
    "borre mi numero",
    "quiteme de la lista",
    "quiteme de su lista",
    "no llame mas",
    "non mi chiami piu",
    "non chiamatemi piu",
    "smetta di chiamarmi",
    "smettetela di chiamarmi",
    "smettete di chiamarmi",
    "cancelli il mio numero",
    "toglietemi dalla lista",
    "pare de me ligar",
    "nao me ligue mais",
    "nao me ligues mais",
    "parem de me ligar",
    "nao ligue mais",
    "retire o meu numero",
    "bel me niet meer",
    "stop met bellen",
    "belt u mij niet meer",
    "haal mij van de lijst",
    "haal me van de lijst",
    "verwijder mijn nummer",
];

/// Phrases that mean it where the sentence ends with them.
const LAST: &[&str] = &[
    "stop calling",
    "dont call me",
    "do not call me",
    "dont call us",
    "do not call us",
    "dont call back",
    "do not call back",
    "dont call me back",
    "do not call me back",
    "dont call here",
    "opt out",
    "unsubscribe me",
    "unsubscribe",
];

/// What may stand behind those.
const CLOSING: &[&str] = &[
    "please", "ok", "okay", "thanks", "thank", "goodbye", "bye", "and", "now", "ever", "again", "i",
];

/// What turns them round.
const NEVER: &[&str] = &[
    "dont stop calling",
    "do not stop calling",
    "never stop calling",
    "did not stop calling",
    "didnt stop calling",
    "why did you stop calling",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_compared_without_accents() {
        assert_eq!(plain("ÀáÂãÇèÉêËìÍîÑòÓôÕùÚû"), "aaaaceeeeiiinoooouuu");
        assert_eq!(plain("Don’t – you’d `say`?"), "dont   youd say ");
    }

    #[test]
    fn who_wants_no_more_calls_is_understood() {
        for said in [
            "Stop calling me.",
            "Please stop calling me!",
            "STOP CALLING ME",
            "Would you stop calling me, please?",
            "I told you to stop calling this number.",
            "Stop calling.",
            "Just stop calling, okay?",
            "Don't call me again.",
            "Don’t call me again",
            "Do not call me again, ever.",
            "Don't call me anymore.",
            "Don't ever call me again.",
            "Never call me again.",
            "Never call this number again!",
            "Please don't call me.",
            "Do not call us.",
            "And don't call back.",
            "Take me off your list.",
            "Can you take me off the list?",
            "Remove me from your list, please.",
            "Remove my number.",
            "Lose my number.",
            "Put me on your do not call list.",
            "I want to opt out.",
            "Opt out.",
            "Unsubscribe.",
            "I withdraw my consent.",
            "Yes, hello, who is this? Stop calling me.",
            "No more calls, thanks.",
            "I don't want you to call me.",
            "Rufen Sie mich nicht mehr an!",
            "Bitte rufen Sie hier nicht mehr an.",
            "Hören Sie auf, mich anzurufen.",
            "Ruf mich nie wieder an.",
            "Streichen Sie mich von der Liste.",
            "Ne m'appelez plus.",
            "Arrêtez de m'appeler !",
            "Retirez-moi de votre liste.",
            "No me llame más.",
            "¡Deje de llamarme!",
            "No vuelva a llamarme.",
            "Borre mi número.",
            "Non mi chiami più.",
            "Smetta di chiamarmi.",
            "Não me ligue mais.",
            "Pare de me ligar.",
            "Bel me niet meer.",
            "Haal mij van de lijst.",
        ] {
            assert!(opts_out(said), "{said}");
        }
    }

    #[test]
    fn who_wants_other_calls_is_not_misunderstood() {
        for said in [
            "",
            "Yes.",
            "Call me again tomorrow.",
            "Please don't call me before nine.",
            "Don't call me Bob.",
            "Do not call me at work, call my mobile.",
            "Don't stop calling me.",
            "Why did you stop calling?",
            "He never calls me.",
            "Stop.",
            "Stop, I did not say that.",
            "I can't call you back.",
            "The list is on the table.",
            "Take the bread off the list.",
            "Could you call my number?",
            "What is your number?",
            "I will call again.",
            "Don't call them.",
            "She asked me to call her.",
            "Rufen Sie mich morgen an.",
            "Rufen Sie mich nicht vor neun an.",
            "Appelez-moi demain.",
            "Llámeme mañana.",
            "Mi chiami domani.",
            "Bel me morgen.",
        ] {
            assert!(!opts_out(said), "{said}");
        }
    }
}
