//! A keyring's seed as words that people write down: BIP-39, English, 24 words for 32 bytes and a checksum.
//!
//! Words are the seed itself. No passphrase is mixed into them: whoever has them has the account.

use bip39::{Language, Mnemonic};
use thiserror::Error;
use veilgrid_crypto::keyring::KeyringSeed;
use veilgrid_crypto::secret::Secret;

/// Words of a seed.
pub const WORDS: usize = 24;
/// Most bytes of a text with words: the longest English word has eight letters.
pub const MAX_TEXT_BYTES: usize = 1024;

/// Why words are no seed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WordsError {
    /// "There are 24 words."
    #[error(
        "{found} words: a wallet has {WORDS}; write them all down in their order, with spaces between them"
    )]
    Count {
        /// How many there are.
        found: usize,
    },
    /// "Each is a word of the English list." The word itself may be a secret with a typing error, so its place is said alone.
    #[error("word {place} is not in the English list of BIP-39: look at its spelling")]
    Unknown {
        /// Its place, from 1.
        place: usize,
    },
    /// "The checksum is right."
    #[error(
        "the words are all known and their checksum is wrong: one is another word, or two are in the wrong order"
    )]
    Checksum,
}

/// The words of a seed, in lower case with a space between two.
pub fn words_of(seed: &KeyringSeed) -> Secret<String> {
    let bytes = seed.to_bytes();
    let Ok(mnemonic) = Mnemonic::from_entropy_in(Language::English, bytes.expose()) else {
        unreachable!("32 bytes are a length of BIP-39")
    };
    let mut text = String::with_capacity(MAX_TEXT_BYTES);
    for (place, word) in mnemonic.words().enumerate() {
        if place > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
    Secret::new(text)
}

/// The seed of these words. Case does not count, and white space is what divides them.
///
/// # Errors
/// [`WordsError`].
pub fn seed_of(text: &str) -> Result<KeyringSeed, WordsError> {
    let found = text.split_whitespace().count();
    if found != WORDS {
        return Err(WordsError::Count { found });
    }
    let mut tidy = Secret::new(String::with_capacity(text.len()));
    for word in text.split_whitespace() {
        if !tidy.expose().is_empty() {
            tidy.expose_mut().push(' ');
        }
        word.chars().for_each(|letter| tidy.expose_mut().push(letter.to_ascii_lowercase()));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, tidy.expose()).map_err(|error| match error {
            bip39::Error::UnknownWord(place) => WordsError::Unknown { place: place + 1 },
            bip39::Error::BadWordCount(found) => WordsError::Count { found },
            _ => WordsError::Checksum,
        })?;
    let (entropy, length) = mnemonic.to_entropy_array();
    let entropy = Secret::new(entropy);
    let bytes: [u8; 32] = entropy.expose()[..length].try_into().map_err(|_| WordsError::Count { found })?;
    Ok(KeyringSeed::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of BIP-39.
    const VECTOR: &str = "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen \
        patrol group space point ten exist slush involve unfold";
    const VECTOR_BYTES: &str = "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f";

    #[test]
    fn words_are_those_of_the_standard() {
        let seed = seed_of(VECTOR).expect("words");
        assert_eq!(hex::encode(seed.to_bytes().expose()), VECTOR_BYTES);
        assert_eq!(words_of(&seed).expose().as_str(), VECTOR);
        let shouted = seed_of(&VECTOR.to_uppercase().replace(' ', "\n  ")).expect("case does not count");
        assert_eq!(shouted.to_bytes().expose(), seed.to_bytes().expose());
    }

    #[test]
    fn words_that_are_no_seed_are_refused_by_their_fault() {
        let refused = |text: String| seed_of(&text).expect_err("refused");
        assert_eq!(refused(VECTOR.replace(" unfold", "")), WordsError::Count { found: 23 });
        assert_eq!(refused(VECTOR.replace("camp", "champ")), WordsError::Unknown { place: 5 });
        assert_eq!(refused(VECTOR.replace("camp", "abandon")), WordsError::Checksum);
        assert_eq!(refused(VECTOR.replace("void come", "come void")), WordsError::Checksum);
        assert!(!refused(VECTOR.replace("camp", "champ")).to_string().contains("champ"));
    }
}
