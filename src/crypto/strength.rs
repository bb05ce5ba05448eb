//! How easily a password can be guessed (zxcvbn estimates the number of guesses), and the sentences about it.

use zxcvbn::zxcvbn;

/// A password that needs fewer guesses is refused. 10⁸ guesses take a few days at the rate that throttling allows from
/// many networks.
pub(super) const GUESSES_LOG10_MIN: f64 = 8.0;
/// With this many guesses, the password of a stolen hash stays unknown for years.
const GOOD_LOG10: f64 = 11.0;
/// With this many guesses, it stays unknown for good.
const STRONG_LOG10: f64 = 14.0;
/// Characters that are rated, at the beginning and at the end. The estimate tries all readings of signs as letters,
/// which takes seconds for a hundred signs and a millisecond for these.
const WINDOW: usize = 32;

/// The rating of a password, shown while it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0: nothing typed; 1: not accepted; 2: fair; 3: good; 4: strong.
    pub score: u8,
    /// What is wrong and what would help.
    pub sentence: String,
}

/// The decimal logarithm of the number of guesses, if the attacker knows `words`. For a long password, the better of
/// its two ends counts.
pub(super) fn guesses_log10(text: &str, words: &[&str]) -> f64 {
    let letters: Vec<char> = text.chars().map(plain).collect();
    let estimate = |window: &[char]| zxcvbn(&window.iter().collect::<String>(), words).guesses_log10();
    let head = estimate(&letters[..letters.len().min(WINDOW)]);
    if letters.len() <= WINDOW { head } else { head.max(estimate(&letters[letters.len() - WINDOW..])) }
}

/// Replaces signs that stand for letters by these letters, because the estimate would try every reading of each of
/// them.
fn plain(letter: char) -> char {
    match letter {
        '@' => 'a',
        '(' | '{' | '[' | '<' => 'c',
        '!' | '|' => 'i',
        '$' => 's',
        '+' => 't',
        '%' => 'x',
        other => other,
    }
}

/// The rating of a password that is accepted.
pub(super) fn rating(guesses_log10: f64) -> Strength {
    let (score, sentence) = if guesses_log10 < GOOD_LOG10 {
        (2, "Fair. Another word would make it good.")
    } else if guesses_log10 < STRONG_LOG10 {
        (3, "Good.")
    } else {
        (4, "Strong.")
    };
    Strength { score, sentence: sentence.to_owned() }
}
