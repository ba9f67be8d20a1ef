//! Patterns of names as shells and `find -name` have them, over bytes.

use std::borrow::Cow;

/// A pattern: `*` for any bytes, `?` for any one, `[a-z]` and `[!a-z]` for one of these or of the
/// others; what stands behind `\` stands for itself.
pub struct Pattern {
    tokens: Vec<Token>,
    letters: Letters,
}

/// How letters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// As they are.
    Exact,
    /// Large ones and small ones are one.
    AnyCase,
}

impl Letters {
    fn of(self, text: &[u8]) -> Cow<'_, [u8]> {
        match (self, std::str::from_utf8(text)) {
            (Self::Exact, _) => text.into(),
            (Self::AnyCase, Ok(text)) => text.to_lowercase().into_bytes().into(),
            (Self::AnyCase, Err(_)) => text.to_ascii_lowercase().into(),
        }
    }
}

enum Token {
    Any,
    One,
    /// One byte inside a range, or inside none.
    Set(Vec<(u8, u8)>, Wanted),
    Byte(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Inside,
    Outside,
}

impl Pattern {
    pub fn new(pattern: &[u8], letters: Letters) -> Self {
        let pattern = letters.of(pattern);
        let (mut tokens, mut rest) = (Vec::new(), &*pattern);
        while let Some((&first, behind)) = rest.split_first() {
            let (token, used) = match first {
                b'*' => (Token::Any, 1),
                b'?' => (Token::One, 1),
                b'\\' if !behind.is_empty() => (Token::Byte(behind[0]), 2),
                b'[' => set(rest).unwrap_or((Token::Byte(b'['), 1)),
                byte => (Token::Byte(byte), 1),
            };
            tokens.push(token);
            rest = &rest[used..];
        }
        Self { tokens, letters }
    }

    /// Whether all of `name` is what the pattern says.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name = &*self.letters.of(name);
        let (mut at, mut token, mut star) = (0, 0, None);
        while at < name.len() {
            match self.tokens.get(token) {
                Some(Token::Any) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(one) if one.fits(name[at]) => (at, token) = (at + 1, token + 1),
                _ => {
                    let Some((begin, seen)) = star else { return false };
                    star = Some((begin, seen + 1));
                    (at, token) = (seen + 1, begin + 1);
                }
            }
        }
        self.tokens[token..].iter().all(|token| matches!(token, Token::Any))
    }
}

impl Token {
    fn fits(&self, byte: u8) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Set(ranges, wanted) => {
                let inside = ranges.iter().any(|&(low, high)| low <= byte && byte <= high);
                inside == (*wanted == Wanted::Inside)
            }
            Self::Byte(other) => *other == byte,
        }
    }
}

/// The set at the start of `pattern` and its length; `None` where it has no end.
fn set(pattern: &[u8]) -> Option<(Token, usize)> {
    let (mut at, mut wanted) = (1, Wanted::Inside);
    if matches!(pattern.get(1), Some(b'!' | b'^')) {
        (at, wanted) = (2, Wanted::Outside);
    }
    let (first, mut ranges) = (at, Vec::new());
    loop {
        let low = *pattern.get(at)?;
        match (low, pattern.get(at + 1), pattern.get(at + 2)) {
            // A bracket that comes first is one of the set.
            (b']', _, _) if at > first => return Some((Token::Set(ranges, wanted), at + 1)),
            (_, Some(b'-'), Some(&high)) if high != b']' => {
                ranges.push((low, high));
                at += 3;
            }
            _ => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Letters, Pattern};

    fn is_match((pattern, name): &(&str, &str)) -> bool {
        Pattern::new(pattern.as_bytes(), Letters::Exact).matches(name.as_bytes())
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let fits = [
            ("*", ""),
            ("*.rs", "a.rs"),
            ("a?c*", "abc"),
            ("*a*b", "xaab"),
            ("[ab]1", "b1"),
            ("[!a-c]*", "dog"),
            ("[]x]", "]"),
            ("[a-]", "-"),
            (r"s\*r", "s*r"),
            ("[x", "[x"),
        ];
        for case in &fits {
            assert!(is_match(case), "{case:?}");
        }
        let others = [
            ("", "a"),
            ("*.rs", "a.r"),
            ("a?", "a"),
            ("*a*b", "ba"),
            ("[ab]1", "c1"),
            ("[!a-c]*", "cat"),
            (r"s\*r", "sar"),
            ("[x]", "[x]"),
        ];
        for case in &others {
            assert!(!is_match(case), "{case:?}");
        }
    }

    #[test]
    fn the_case_of_letters_counts_unless_it_is_said_not_to() {
        let any = Pattern::new("É[a-c]*".as_bytes(), Letters::AnyCase);
        assert!(any.matches("éBx".as_bytes()) && !any.matches("éd".as_bytes()));
        assert!(!is_match(&("A", "a")));
    }
}
