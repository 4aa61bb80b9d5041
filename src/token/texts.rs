//! A list of texts in two allocations, whatever its length: a token may have a hundred permissions, and is read for every request.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Default)]
pub(super) struct Texts {
    joined: String,
    /// Where each text ends, and the next one begins.
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).filter_map(|(start, end)| self.joined.get(*start..*end))
    }

    pub(super) fn contains(&self, wanted: &str) -> bool {
        self.iter().any(|text| text == wanted)
    }
}

/// `null` and an absent list mean the same.
impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of strings")
    }

    fn visit_none<E: de::Error>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Texts, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Texts::default();
        while let Some(Text(text)) = list.next_element()? {
            if texts.ends.is_empty() {
                texts.joined.reserve(256);
                texts.ends.reserve(16);
            }
            texts.joined.push_str(&text);
            texts.ends.push(texts.joined.len());
        }
        Ok(texts)
    }
}

/// A text that is borrowed if it has no escapes. (Inside an `Option`, serde would copy a `Cow`.)
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_they_went_in() {
        let list = ["posts:read", "", "posts", "\u{0}", "a\"b", "é🦀", ""];
        let json = serde_json::to_string(&list).unwrap();
        let texts: Texts = serde_json::from_str(&json).unwrap();
        assert_eq!(texts.iter().collect::<Vec<_>>(), list);
        assert!(texts.contains("posts") && texts.contains("") && texts.contains("é🦀"));
        assert!(!texts.contains("posts:readposts") && !texts.contains("read"));
        for empty in ["null", "[]"] {
            assert_eq!(serde_json::from_str::<Texts>(empty).unwrap().iter().count(), 0);
        }
        for wrong in ["[1]", "{}", "\"posts\"", "[null]", "7"] {
            assert!(serde_json::from_str::<Texts>(wrong).is_err(), "{wrong}");
        }
    }
}
