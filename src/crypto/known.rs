//! Known passwords: those that leaked most often, well-known phrases, and the usual ways to make them longer.

use std::collections::HashSet;
use std::sync::OnceLock;

const PASSWORDS: &str = include_str!("known_passwords.txt");
const PHRASES: &str = include_str!("known_phrases.txt");

/// Shorter words are part of too many other words.
const WORD_MIN: usize = 4;
/// The longest entry of the list of passwords that is compared.
const WORD_MAX: usize = 24;
/// A known word is most of a password if fewer letters than this are around it.
const LETTERS_MIN: usize = 5;
/// A password has at least this many characters that are not part of a repetition or a sequence.
const FRESH_MIN: usize = 8;
/// The same, for a password without letters.
const SIGNS_MIN: usize = 10;
/// Repetitions of a piece up to this long add nothing: `!!!!`, `123123123`, `20242024`.
const PIECE_MAX: usize = 4;
/// Sequences of this many characters add nothing: `1234`, `dcba`.
const SEQUENCE_MIN: usize = 4;

/// The letter that a sign usually stands for, so that `p4$$w0rd` is the same word. If a sign stands for several
/// letters, these are in one class: `1` is `i` and `l`. Letters of other alphabets are in a class that no list has.
fn class(letter: char) -> u8 {
    match letter {
        '4' | '@' => b'a',
        '8' => b'b',
        '(' => b'c',
        '3' => b'e',
        '6' | '9' => b'g',
        '1' | '!' | '|' | 'l' => b'i',
        '0' => b'o',
        '5' | '$' => b's',
        '7' | '+' => b't',
        '2' => b'z',
        other => u8::try_from(other).unwrap_or(0),
    }
}

fn folded(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

fn entries(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with("# "))
}

fn classes(text: &str) -> Box<[u8]> {
    text.chars().map(|letter| class(folded(letter))).collect()
}

fn passwords() -> &'static HashSet<Box<[u8]>> {
    static KNOWN: OnceLock<HashSet<Box<[u8]>>> = OnceLock::new();
    KNOWN.get_or_init(|| entries(PASSWORDS).filter(|word| word.len() >= WORD_MIN).map(classes).collect())
}

fn phrases() -> &'static Vec<Box<[u8]>> {
    static KNOWN: OnceLock<Vec<Box<[u8]>>> = OnceLock::new();
    KNOWN.get_or_init(|| entries(PHRASES).map(classes).collect())
}

/// The letters of a password.
pub(super) struct Text {
    letters: Vec<char>,
    classes: Vec<u8>,
    /// Whether the letter is part of a repetition, or of a sequence such as `1234`.
    is_stale: Vec<bool>,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().map(folded).collect();
        let classes = letters.iter().map(|letter| class(*letter)).collect();
        let is_stale = stale(&letters);
        Self { letters, classes, is_stale }
    }

    /// Whether it is a pattern, a known password or phrase, or little more than one: repeated, reversed, written with
    /// signs for letters, or extended with digits and signs.
    pub(super) fn is_known(&self) -> bool {
        if self.is_pattern() {
            return true;
        }
        let backwards = Self {
            letters: self.letters.iter().rev().copied().collect(),
            classes: self.classes.iter().rev().copied().collect(),
            is_stale: self.is_stale.iter().rev().copied().collect(),
        };
        self.is_mostly_a_password() || backwards.is_mostly_a_password() || self.is_mostly_a_phrase()
    }

    /// Whether little is left without these words, which others know about the person or the site.
    pub(super) fn is_mostly_of(&self, words: &[String]) -> bool {
        let mut covered = vec![false; self.letters.len()];
        for word in words {
            self.cover(&classes(word), &mut covered);
        }
        covered.contains(&true) && self.letters_outside(&covered) < LETTERS_MIN
    }

    /// Whether it has few different characters, or little except repetitions and sequences: `abcdef…`, `1234567890…`,
    /// `20242024…`.
    fn is_pattern(&self) -> bool {
        let distinct: HashSet<&char> = self.letters.iter().collect();
        let fresh = self.is_stale.iter().filter(|is_stale| !**is_stale).count();
        let has_letters = self.letters.iter().any(|letter| !is_padding(*letter));
        distinct.len() < 5 || fresh < if has_letters { FRESH_MIN } else { SIGNS_MIN }
    }

    fn is_mostly_a_password(&self) -> bool {
        let known = passwords();
        // A word that is most of the password must begin before `LETTERS_MIN` other letters.
        let last = (0..self.letters.len()).filter(|index| self.is_letter(*index)).nth(LETTERS_MIN - 1);
        (0..last.map_or(self.letters.len(), |last| last + 1)).any(|from| {
            (WORD_MIN..=WORD_MAX).any(|length| {
                let Some(word) = self.classes.get(from..from + length) else { return false };
                if !known.contains(word) {
                    return false;
                }
                let mut covered = vec![false; self.letters.len()];
                self.cover(word, &mut covered);
                // Digits count as letters here. So a number that can be read as a word counts only if there is nothing
                // else.
                let spelt = self.letters[from..from + length].iter().filter(|letter| letter.is_alphabetic()).count();
                let outside = if spelt < 3 { self.fresh_outside(&covered) } else { self.letters_outside(&covered) };
                outside < LETTERS_MIN
            })
        })
    }

    /// Ignores spaces and signs between the words of a phrase.
    fn is_mostly_a_phrase(&self) -> bool {
        let bare: String = self.letters.iter().filter(|letter| letter.is_alphanumeric()).collect();
        let bare = Self::new(&bare);
        phrases().iter().any(|phrase| {
            let mut covered = vec![false; bare.letters.len()];
            bare.cover(phrase, &mut covered);
            covered.contains(&true) && bare.letters_outside(&covered) < LETTERS_MIN
        })
    }

    /// Sets `covered` wherever `word` occurs.
    fn cover(&self, word: &[u8], covered: &mut [bool]) {
        if word.is_empty() || word.len() > self.classes.len() {
            return;
        }
        for from in 0..=self.classes.len() - word.len() {
            if &self.classes[from..from + word.len()] == word {
                covered[from..from + word.len()].fill(true);
            }
        }
    }

    /// Counts characters that are neither covered nor part of a repetition or a sequence.
    fn fresh_outside(&self, covered: &[bool]) -> usize {
        covered.iter().zip(&self.is_stale).filter(|(is_covered, is_stale)| !**is_covered && !**is_stale).count()
    }

    /// Counts letters that are neither covered nor part of a repetition or a sequence.
    fn letters_outside(&self, covered: &[bool]) -> usize {
        (0..self.letters.len()).filter(|index| !covered[*index] && self.is_letter(*index)).count()
    }

    /// Whether it is a letter that is not part of a repetition or a sequence.
    fn is_letter(&self, index: usize) -> bool {
        !self.is_stale[index] && !is_padding(self.letters[index])
    }
}

/// Whether people add such a character to make a password longer or to satisfy a rule.
fn is_padding(letter: char) -> bool {
    letter.is_ascii() && !letter.is_ascii_alphabetic()
}

/// Which letters belong to a repetition of a short piece (at least twice and six letters in all), or to a sequence.
fn stale(letters: &[char]) -> Vec<bool> {
    let mut flags = vec![false; letters.len()];
    for step in [1, -1] {
        let mut from = 0;
        while from < letters.len() {
            let length = 1 + letters[from..].windows(2).take_while(|pair| is_step(pair[0], pair[1], step)).count();
            if length >= SEQUENCE_MIN {
                flags[from..from + length].fill(true);
            }
            from += length;
        }
    }
    for piece in 1..=PIECE_MAX {
        let mut from = 0;
        while from + piece < letters.len() {
            let run =
                (from + piece..letters.len()).take_while(|index| letters[*index] == letters[index - piece]).count();
            let length = run + piece;
            if run >= piece && length >= 6 {
                flags[from..from + length].fill(true);
                from += length;
            } else {
                from += 1;
            }
        }
    }
    flags
}

/// Whether `to` follows `from` in a sequence with this step, 1 or -1. After 9 comes 0.
fn is_step(from: char, to: char, step: i32) -> bool {
    let number = |letter: char| letter.to_digit(10).and_then(|digit| i32::try_from(digit).ok());
    match (number(from), number(to)) {
        (Some(from), Some(to)) => (from + step).rem_euclid(10) == to,
        _ => i64::from(u32::from(to)) - i64::from(u32::from(from)) == i64::from(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_have_the_expected_form() {
        assert!(entries(PASSWORDS).count() >= 10_000);
        assert!(entries(PASSWORDS).all(|word| !word.is_empty() && word.is_ascii()));
        assert!(entries(PHRASES).all(|phrase| phrase.chars().all(|letter| letter.is_ascii_alphanumeric())));
        assert!(phrases().len() > 100);
    }

    #[test]
    fn repetitions_and_sequences_are_found() {
        let flags = |text: &str| -> String {
            let letters: Vec<char> = text.chars().collect();
            stale(&letters).into_iter().map(|is_stale| if is_stale { 'x' } else { '.' }).collect()
        };

        assert_eq!(flags("simbaabcabcabcabc"), ".....xxxxxxxxxxxx");
        assert_eq!(flags("dragon!!!!!!"), "......xxxxxx");
        assert_eq!(flags("784512202420242024"), "......xxxxxxxxxxxx");
        assert_eq!(flags("a quiet walk"), "............");
        assert_eq!(flags("x8901q4321z321"), ".xxxx.xxxx....");
    }
}
