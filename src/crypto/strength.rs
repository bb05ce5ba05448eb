//! How easily a password is guessed, in the number of guesses that a patient program needs (zxcvbn), and the words about it.

use zxcvbn::zxcvbn;

/// Fewer guesses than these are no obstacle: 10⁸, a few days at what throttling lets through from many networks.
pub(super) const GUESSES_LOG10_MIN: f64 = 8.0;
/// From here on a stolen hash keeps its secret for years.
const GOOD_LOG10: f64 = 11.0;
/// From here on, for good.
const STRONG_LOG10: f64 = 14.0;
/// Characters that are looked at, from the beginning and from the end. The estimate tries all readings of signs as letters,
/// which takes seconds for a hundred signs and a millisecond for these.
const WINDOW: usize = 32;

/// What somebody who types a password is told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0: nothing typed; 1: not taken; 2: fair; 3: good; 4: strong.
    pub score: u8,
    /// What is so, and what would help.
    pub sentence: String,
}

/// The order of magnitude of the guesses, for `words` known to the guesser. Of a long password, the better of its two ends.
pub(super) fn guesses_log10(text: &str, words: &[&str]) -> f64 {
    let letters: Vec<char> = text.chars().map(plain).collect();
    let estimate = |window: &[char]| zxcvbn(&window.iter().collect::<String>(), words).guesses_log10();
    let head = estimate(&letters[..letters.len().min(WINDOW)]);
    if letters.len() <= WINDOW { head } else { head.max(estimate(&letters[letters.len() - WINDOW..])) }
}

/// Signs that are written for letters, as the letters: the estimate would try every reading of each of them.
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

/// The words for a password that is taken.
pub(super) fn praise(guesses_log10: f64) -> Strength {
    let (score, sentence) = if guesses_log10 < GOOD_LOG10 {
        (2, "Fair. Another word would make it good.")
    } else if guesses_log10 < STRONG_LOG10 {
        (3, "Good.")
    } else {
        (4, "Strong.")
    };
    Strength { score, sentence: sentence.to_owned() }
}
