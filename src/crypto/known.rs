//! What everybody tries first: passwords that leaked most often, phrases that everybody knows, and how they are dressed up
//! to look long.

use std::collections::HashSet;
use std::sync::OnceLock;

const PASSWORDS: &str = include_str!("known_passwords.txt");
const PHRASES: &str = include_str!("known_phrases.txt");

/// Shorter words are part of too many others to say anything.
const WORD_MIN: usize = 4;
/// The longest entry of the list of passwords that is looked for.
const WORD_MAX: usize = 24;
/// A known word is most of a password when fewer letters than these stand around it.
const LETTERS_MIN: usize = 5;
/// A password has at least so many characters that are not part of a repetition or a row.
const FRESH_MIN: usize = 8;
/// One without letters, so many.
const SIGNS_MIN: usize = 10;
/// Runs of a piece up to this long, over and over, add nothing: `!!!!`, `123123123`, `20242024`.
const PIECE_MAX: usize = 4;
/// Nor do neighbours in a row that are this many: `1234`, `dcba`.
const ROW_MIN: usize = 4;

/// Which letter a sign is usually written for, so that `p4$$w0rd` is the same word. Signs that are written for several letters
/// put these into one class: `1` is `i` and `l`. Letters of other alphabets are in a class of their own that is in no list.
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

/// A password taken apart, letter by letter.
pub(super) struct Text {
    letters: Vec<char>,
    classes: Vec<u8>,
    /// Whether the letter is part of something repeated, or of a row such as `1234`.
    is_stale: Vec<bool>,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().map(folded).collect();
        let classes = letters.iter().map(|letter| class(*letter)).collect();
        let is_stale = stale(&letters);
        Self { letters, classes, is_stale }
    }

    /// Whether it is a known password or phrase, or little more than one: repeated, turned round, written with signs for
    /// letters, filled up with digits and signs, or a pattern.
    pub(super) fn is_known(&self) -> bool {
        if self.is_pattern() {
            return true;
        }
        let backwards = Self {
            letters: self.letters.iter().rev().copied().collect(),
            classes: self.classes.iter().rev().copied().collect(),
            is_stale: self.is_stale.iter().rev().copied().collect(),
        };
        self.holds_little_but_a_password() || backwards.holds_little_but_a_password() || self.is_mostly_a_phrase()
    }

    /// Whether little is left without these words. They are what others know of the person or the site.
    pub(super) fn is_mostly_of(&self, words: &[String]) -> bool {
        let mut covered = vec![false; self.letters.len()];
        for word in words {
            self.cover(&classes(word), &mut covered);
        }
        covered.contains(&true) && self.letters_outside(&covered) < LETTERS_MIN
    }

    /// Few different characters, or little but repetitions and rows: `abcdef…`, `1234567890…`, `20242024…`.
    fn is_pattern(&self) -> bool {
        let distinct: HashSet<&char> = self.letters.iter().collect();
        let fresh = self.is_stale.iter().filter(|is_stale| !**is_stale).count();
        let has_letters = self.letters.iter().any(|letter| !is_padding(*letter));
        distinct.len() < 5 || fresh < if has_letters { FRESH_MIN } else { SIGNS_MIN }
    }

    fn holds_little_but_a_password(&self) -> bool {
        let known = passwords();
        // A word that is most of it begins before too many letters have gone by.
        let last = (0..self.letters.len()).filter(|place| self.is_letter(*place)).nth(LETTERS_MIN - 1);
        (0..last.map_or(self.letters.len(), |last| last + 1)).any(|from| {
            (WORD_MIN..=WORD_MAX).any(|length| {
                let Some(word) = self.classes.get(from..from + length) else { return false };
                if !known.contains(word) {
                    return false;
                }
                let mut covered = vec![false; self.letters.len()];
                self.cover(word, &mut covered);
                // Digits are letters here. A number that could be read as a word is none, unless nothing else is there.
                let spelt = self.letters[from..from + length].iter().filter(|letter| letter.is_alphabetic()).count();
                let outside = if spelt < 3 { self.fresh_outside(&covered) } else { self.letters_outside(&covered) };
                outside < LETTERS_MIN
            })
        })
    }

    /// Spaces and signs between the words of a phrase change nothing.
    fn is_mostly_a_phrase(&self) -> bool {
        let bare: String = self.letters.iter().filter(|letter| letter.is_alphanumeric()).collect();
        let bare = Self::new(&bare);
        phrases().iter().any(|phrase| {
            let mut covered = vec![false; bare.letters.len()];
            bare.cover(phrase, &mut covered);
            covered.contains(&true) && bare.letters_outside(&covered) < LETTERS_MIN
        })
    }

    /// Marks every place where `word` stands.
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

    /// Characters that are neither covered nor part of a repetition or a row.
    fn fresh_outside(&self, covered: &[bool]) -> usize {
        covered.iter().zip(&self.is_stale).filter(|(is_covered, is_stale)| !**is_covered && !**is_stale).count()
    }

    /// Those of them that are letters.
    fn letters_outside(&self, covered: &[bool]) -> usize {
        (0..self.letters.len()).filter(|place| !covered[*place] && self.is_letter(*place)).count()
    }

    /// Whether it is a letter that is not part of a repetition or a row.
    fn is_letter(&self, place: usize) -> bool {
        !self.is_stale[place] && !is_padding(self.letters[place])
    }
}

/// What is added to make a password longer or to please a rule.
fn is_padding(letter: char) -> bool {
    letter.is_ascii() && !letter.is_ascii_alphabetic()
}

/// Which letters belong to a run of one short piece, at least twice and six letters long, or to a row of neighbours.
fn stale(letters: &[char]) -> Vec<bool> {
    let mut marks = vec![false; letters.len()];
    for step in [1, -1] {
        let mut from = 0;
        while from < letters.len() {
            let row = 1 + letters[from..].windows(2).take_while(|pair| is_step(pair[0], pair[1], step)).count();
            if row >= ROW_MIN {
                marks[from..from + row].fill(true);
            }
            from += row;
        }
    }
    for piece in 1..=PIECE_MAX {
        let mut from = 0;
        while from + piece < letters.len() {
            let run =
                (from + piece..letters.len()).take_while(|place| letters[*place] == letters[place - piece]).count();
            let length = run + piece;
            if run >= piece && length >= 6 {
                marks[from..from + length].fill(true);
                from += length;
            } else {
                from += 1;
            }
        }
    }
    marks
}

/// Whether the letters are neighbours, forwards or backwards; after 9 comes 0.
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
    fn the_lists_are_what_they_are_taken_for() {
        assert!(entries(PASSWORDS).count() >= 10_000);
        assert!(entries(PASSWORDS).all(|word| !word.is_empty() && word.is_ascii()));
        assert!(entries(PHRASES).all(|phrase| phrase.chars().all(|letter| letter.is_ascii_alphanumeric())));
        assert!(phrases().len() > 100);
    }

    #[test]
    fn a_run_is_found_where_it_is() {
        let marks = |text: &str| -> String {
            let letters: Vec<char> = text.chars().collect();
            stale(&letters).into_iter().map(|is_stale| if is_stale { 'x' } else { '.' }).collect()
        };

        assert_eq!(marks("simbaabcabcabcabc"), ".....xxxxxxxxxxxx");
        assert_eq!(marks("dragon!!!!!!"), "......xxxxxx");
        assert_eq!(marks("784512202420242024"), "......xxxxxxxxxxxx");
        assert_eq!(marks("a quiet walk"), "............");
        assert_eq!(marks("x8901q4321z321"), ".xxxx.xxxx....");
    }
}
